import { cleanPath } from '@tsbuild/core';
import { buildkitUrl, type Rule } from './types.js';

export const copyIgnoredFile: Rule = {
  name: 'CopyIgnoredFile',
  description: 'Attempting to Copy file that is excluded by .dockerignore',
  url: buildkitUrl('copy-ignored-file'),
  check({ stages, options }, report) {
    const { ignore } = options;
    // With a ! pattern part of an ignored folder may be there.
    if (ignore === undefined || ignore.exclusions) return;
    for (const { instruction, range, values } of stages.flatMap(({ steps }) => steps)) {
      if (instruction.kind !== 'add' && (instruction.kind !== 'copy' || instruction.from !== undefined))
        continue;
      const verb = instruction.kind === 'add' ? 'Add' : 'Copy';
      for (const source of values) {
        if (isRemote(source)) continue;
        const path = cleanPath(`/${source}`).slice(1);
        if (path === '' || !ignore.matchesOrParentMatches(path)) continue;
        report(`Attempting to ${verb} file "${source}" that is excluded by .dockerignore`, range);
      }
    }
  },
};

function isRemote(source: string): boolean {
  return /^(?:https?|git|ssh):\/\/|^[^/]+@[^/]+:/.test(source);
}
