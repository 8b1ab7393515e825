import { buildkitUrl, type Rule } from './types.js';

export const exposeProtoCasing: Rule = {
  name: 'ExposeProtoCasing',
  description: 'Protocol in EXPOSE instruction should be lowercase',
  url: buildkitUrl('expose-proto-casing'),
  check({ stages }, report) {
    for (const { instruction, range, values } of stages.flatMap(({ steps }) => steps)) {
      if (instruction.kind !== 'expose') continue;
      for (const port of values) {
        const protocol = port.slice(port.indexOf('/') + 1);
        if (!port.includes('/') || protocol === protocol.toLowerCase()) continue;
        report(`Defined protocol '${port}' in EXPOSE instruction should be lowercase`, range);
      }
    }
  },
};
