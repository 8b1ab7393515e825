import type { Rule } from './types.js';

/** A rule whose findings the parser makes, because it alone sees the lines before they are joined. */
export function parserRule(rule: Omit<Rule, 'check'>): Rule {
  return {
    ...rule,
    check({ file }, report) {
      for (const { rule: found, message, range } of file.warnings) {
        if (found === rule.name) report(message, range);
      }
    },
  };
}
