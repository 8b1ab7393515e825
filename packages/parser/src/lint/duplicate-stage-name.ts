import { goQuote } from '@tsbuild/core';
import { buildkitUrl, type Rule } from './types.js';

export const duplicateStageName: Rule = {
  name: 'DuplicateStageName',
  description: 'Stage names should be unique',
  url: buildkitUrl('duplicate-stage-name'),
  check({ file }, report) {
    const seen = new Set<string>();
    for (const { name, from } of file.stages) {
      if (name === undefined) continue;
      if (seen.has(name))
        report(`Duplicate stage name ${goQuote(name)}, stage names should be unique`, from.range);
      seen.add(name);
    }
  },
};
