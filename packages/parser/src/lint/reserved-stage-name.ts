import { buildkitUrl, type Rule } from './types.js';

export const reservedStageName: Rule = {
  name: 'ReservedStageName',
  description: 'Reserved words should not be used as stage names',
  url: buildkitUrl('reserved-stage-name'),
  check({ file }, report) {
    for (const { name, from } of file.stages) {
      if (name !== 'scratch' && name !== 'context') continue;
      report(`Stage name should not use the same name as reserved stage "${name}"`, from.range);
    }
  },
};
