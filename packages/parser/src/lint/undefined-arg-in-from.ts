import { didYouMean } from '@tsbuild/core';
import { buildkitUrl, type Rule } from './types.js';

export const undefinedArgInFrom: Rule = {
  name: 'UndefinedArgInFrom',
  description: 'FROM command must use declared ARGs',
  url: buildkitUrl('undefined-arg-in-from'),
  check({ stages, globals }, report) {
    for (const { stage, from } of stages) {
      const missing = new Set([...from.image.unset, ...(from.platform?.unset ?? [])]);
      for (const name of missing) {
        report(
          `FROM argument '${name}' is not declared${didYouMean(name, globals.keys(), true)}`,
          stage.from.range,
        );
      }
    }
  },
};
