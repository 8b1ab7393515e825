import { suggest } from '@tsbuild/core';
import { buildkitUrl, type Rule } from './types.js';

export const undefinedVar: Rule = {
  name: 'UndefinedVar',
  description: 'Variables should be defined before their use',
  url: buildkitUrl('undefined-var'),
  check({ stages }, report) {
    for (const step of stages.flatMap(({ steps }) => steps)) {
      for (const name of step.undefined) {
        report(`Usage of undefined variable '$${name}'${meant(name, step.known)}`, step.range);
      }
    }
  },
};

function meant(name: string, known: readonly string[]): string {
  const near = suggest(name, known, true);
  return near === undefined ? '' : ` (did you mean $${near}?)`;
}
