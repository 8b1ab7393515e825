/** `--cache-mount id=ID[,key=FILE[:FILE…]][,max=SIZE]` */
import { TsbuildError } from '@tsbuild/core';
import type { CacheMountSpec } from '../api/types.js';
import { csvPairs } from './csv.js';
import { parseSize } from './values.js';

export function parseCacheMount(text: string): CacheMountSpec {
  const pairs = csvPairs('cache-mount', text);
  const bad = (why: string) =>
    new TsbuildError('TSB_USAGE_BAD_VALUE', `invalid value for --cache-mount: ${why}`, {
      hint: 'Write it as id=ID[,key=FILE[:FILE…]][,max=SIZE], for example id=npm,key=package-lock.json.',
    });
  for (const [name, value] of pairs) {
    if (!['id', 'key', 'max'].includes(name)) throw bad(`unknown field ${JSON.stringify(name)}`);
    if (!value) throw bad(`field ${JSON.stringify(name)} has no value`);
  }
  const id = pairs.get('id');
  if (id === undefined) throw bad('id= is missing');
  const key = pairs.get('key')?.split(':').filter(Boolean);
  const max = pairs.get('max');
  return {
    id,
    ...(key === undefined ? {} : { key }),
    ...(max === undefined ? {} : { maxBytes: parseSize('cache-mount', max) }),
  };
}
