import { buildkitUrl, type Rule } from './types.js';

export const exposeInvalidFormat: Rule = {
  name: 'ExposeInvalidFormat',
  description:
    'IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future release',
  url: buildkitUrl('expose-invalid-format'),
  check({ stages }, report) {
    for (const { instruction, range, values } of stages.flatMap(({ steps }) => steps)) {
      if (instruction.kind !== 'expose') continue;
      for (const port of values) {
        if (!port.includes(':')) continue;
        report(
          `EXPOSE instruction should not define an IP address or host-port mapping, found '${port}'`,
          range,
        );
      }
    }
  },
};
