import type { Rule } from './types.js';

/** Found by the parser. */
export const heredocWithBlank: Rule = {
  name: 'HeredocWithBlank',
  description: 'COPY and ADD know a heredoc only without a blank between << and its name',
  check({ file }, report) {
    for (const { rule, message, range } of file.warnings) {
      if (rule === this.name) report(message, range);
    }
  },
};
