import type { Rule } from './types.js';

/** Found by the parser, which alone sees where the lines were joined. */
export const swallowedComment: Rule = {
  name: 'SwallowedComment',
  description:
    'A # inside of a continued shell command comments out all the lines that follow it; put the comment on a line of its own',
  check({ file }, report) {
    for (const { rule, message, range } of file.warnings) {
      if (rule === this.name) report(message, range);
    }
  },
};
