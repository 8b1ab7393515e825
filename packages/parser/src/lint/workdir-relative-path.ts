import { goQuote } from '@tsbuild/core';
import { buildkitUrl, type Rule } from './types.js';

export const workdirRelativePath: Rule = {
  name: 'WorkdirRelativePath',
  description:
    'Relative workdir without an absolute workdir declared within the build can have unexpected results if the base image changes',
  url: buildkitUrl('workdir-relative-path'),
  check({ stages }, report) {
    const decided: boolean[] = [];
    for (const [index, { parent, steps }] of stages.entries()) {
      let set = parent !== undefined && decided[parent] === true;
      for (const { instruction, range, values } of steps) {
        if (instruction.kind !== 'workdir') continue;
        const path = values[0] ?? '';
        // Only the first one counts: with it put right the others are.
        if (!set && !path.startsWith('/')) {
          const what = `Relative workdir ${goQuote(path)}`;
          report(`${what} can have unexpected results if the base image changes`, range);
        }
        set = true;
      }
      decided[index] = set;
    }
  },
};
