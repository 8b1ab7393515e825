/** Content digests of parts of root file systems, kept in the store: neither layers nor selectors ever change. */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, hexOf, isDigest } from '@tsbuild/core';
import type { Ref, Selector } from '@tsbuild/solver';
import { contentDigestVersion } from './digest.js';
import { FieldHash } from './encode.js';

/** The digest from the store, or from `compute`, which is then kept. Damage is a miss. */
export async function memoised(
  folder: string,
  ref: Ref,
  selector: Selector,
  compute: () => Promise<Digest>,
): Promise<Digest> {
  const file = join(folder, hexOf(memoKey(ref, selector)));
  const kept = await readFile(file, 'utf8').catch(() => '');
  if (isDigest(kept)) return kept;
  const digest = await compute();
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

function memoKey(ref: Ref, selector: Selector): Digest {
  const hash = new FieldHash().number(contentDigestVersion).number(ref.layers.length);
  for (const { snapshot } of ref.layers) hash.text(snapshot);
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
