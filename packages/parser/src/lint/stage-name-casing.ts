import { buildkitUrl, type Rule } from './types.js';

export const stageNameCasing: Rule = {
  name: 'StageNameCasing',
  description: 'Stage names should be lowercase',
  url: buildkitUrl('stage-name-casing'),
  check({ file }, report) {
    for (const { from } of file.stages) {
      if (from.as !== undefined && from.as !== from.as.toLowerCase()) {
        report(`Stage name '${from.as}' should be lowercase`, from.range);
      }
    }
  },
};
