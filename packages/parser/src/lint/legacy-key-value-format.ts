import { buildkitUrl, type Rule } from './types.js';

export const legacyKeyValueFormat: Rule = {
  name: 'LegacyKeyValueFormat',
  description: 'Legacy key/value format with whitespace separator should not be used',
  url: buildkitUrl('legacy-key-value-format'),
  check({ stages }, report) {
    for (const { instruction, range } of stages.flatMap(({ steps }) => steps)) {
      if (instruction.kind !== 'env' && instruction.kind !== 'label') continue;
      const { keyword } = instruction;
      for (const pair of instruction.pairs) {
        if (pair.hasEquals) continue;
        report(
          `"${keyword} key=value" should be used instead of legacy "${keyword} key value" format`,
          range,
        );
      }
    }
  },
};
