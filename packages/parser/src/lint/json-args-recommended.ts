import { buildkitUrl, type Rule } from './types.js';

export const jsonArgsRecommended: Rule = {
  name: 'JSONArgsRecommended',
  description:
    'JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals',
  url: buildkitUrl('json-args-recommended'),
  check({ stages }, report) {
    for (const { instruction, range, shellSet } of stages.flatMap(({ steps }) => steps)) {
      if (instruction.kind !== 'cmd' && instruction.kind !== 'entrypoint') continue;
      // Who sets SHELL wants that shell.
      if (instruction.command.form === 'exec' || shellSet) continue;
      const what = `JSON arguments recommended for ${instruction.keyword}`;
      report(`${what} to prevent unintended behavior related to OS signals`, range);
    }
  },
};
