/** Content digests of parts of root file systems, kept in the store: neither layers nor selectors ever change. */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, hexOf, isDigest } from '@tsbuild/core';
import type { BuildkitSelector, Ref, Selector } from '@tsbuild/solver';
import { contentDigestVersion } from './digest.js';
import { FieldHash } from './encode.js';

/** The digest from the store, or from `compute`, which is then kept. Damage is a miss. */
export async function memoised<T extends Digest | undefined>(
  folder: string,
  key: Digest,
  compute: () => Promise<T>,
): Promise<T | Digest> {
  const file = join(folder, hexOf(key));
  const kept = await readFile(file, 'utf8').catch(() => '');
  if (isDigest(kept)) return kept;
  const digest = await compute();
  if (digest === undefined) return digest;
  await mkdir(folder, { recursive: true });
  const temporary = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  try {
    await writeFile(temporary, digest, { flag: 'wx' });
    await rename(temporary, file);
  } finally {
    await rm(temporary, { force: true });
  }
  return digest;
}

/** Names what a selector finds in a ref, by the ids of its snapshots. */
export function contentKey(
  ref: Pick<Ref, 'layers'>,
  selector: Selector | readonly BuildkitSelector[],
): Digest {
  const hash = new FieldHash().number(contentDigestVersion).number(ref.layers.length);
  for (const { snapshot } of ref.layers) hash.text(snapshot);
  if (isList(selector)) return hash.text('buildkit').text(JSON.stringify(selector)).digest();
  if (selector.type === 'path') return hash.text('path').text(selector.path).digest();
  const { source, exclude, parents, ownerZero } = selector.action;
  hash
    .text('copy')
    .text(source)
    .number(parents ? 1 : 0)
    .number(ownerZero ? 1 : 0)
    .number(exclude.length);
  for (const pattern of exclude) hash.text(pattern);
  return hash.digest();
}

function isList(selector: Selector | readonly BuildkitSelector[]): selector is readonly BuildkitSelector[] {
  return Array.isArray(selector);
}
