import { buildkitUrl, type Rule } from './types.js';

export const multipleInstructionsDisallowed: Rule = {
  name: 'MultipleInstructionsDisallowed',
  description: 'Multiple instructions of the same type should not be used in the same stage',
  url: buildkitUrl('multiple-instructions-disallowed'),
  check({ stages }, report) {
    for (const { steps } of stages) {
      for (const kind of ['cmd', 'entrypoint', 'healthcheck'] as const) {
        const all = steps.filter(({ instruction }) => instruction.kind === kind);
        for (const [index, { range }] of all.slice(0, -1).entries()) {
          const keyword = all[index + 1]?.instruction.keyword;
          const why = 'should not be used in the same stage because only the last one will be used';
          report(`Multiple ${keyword} instructions ${why}`, range);
        }
      }
    }
  },
};
