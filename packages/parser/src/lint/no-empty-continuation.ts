import { buildkitUrl, type Rule } from './types.js';

/** Found by the parser, which alone sees the lines. */
export const noEmptyContinuation: Rule = {
  name: 'NoEmptyContinuation',
  description: 'Empty continuation lines will become errors in a future release',
  url: buildkitUrl('no-empty-continuation'),
  check({ file }, report) {
    for (const { rule, message, range } of file.warnings) {
      if (rule === this.name) report(message, range);
    }
  },
};
