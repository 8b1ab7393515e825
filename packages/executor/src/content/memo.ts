/** Content digests of parts of root file systems, kept in the store: neither layers nor selectors ever change. */
import { mkdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, hexOf, isDigest, sha256 } from '@tsbuild/core';
import type { BuildkitSelector, Ref, Selector } from '@tsbuild/solver';
import { contentDigestVersion } from './digest.js';
import { FieldHash } from './encode.js';

/**
 * The digest from the store, or from `compute`, which is then kept. Damage is a miss, and what cannot be kept is only
 * computed again.
 * @param warn told about both
 */
export async function memoised<T extends Digest | undefined>(
  folder: string,
  key: Digest,
  compute: () => Promise<T>,
  warn: (message: string) => void,
): Promise<T | Digest> {
  const name = hexOf(key);
  const file = join(folder, name);
  const kept = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) =>
    error.code === 'ENOENT' ? undefined : '',
  );
  if (kept !== undefined) {
    const digest = kept.slice(0, digestLength);
    if (isWholeMemo(name, kept)) {
      // Only the order of pruning suffers where this fails.
      await utimes(file, new Date(), new Date()).catch(() => {});
      return digest as Digest;
    }
    warn(`cache: ${file} is damaged; the digest is computed again`);
  }
  const digest = await compute();
  if (digest === undefined) return digest;
  try {
    await keep(folder, name, digest);
  } catch (error) {
    warn(`cache: a digest could not be kept: ${(error as Error).message}`);
  }
  return digest;
}

const digestLength = 'sha256:'.length + 64;

async function keep(folder: string, name: string, digest: Digest): Promise<void> {
  const file = join(folder, name);
  await mkdir(folder, { recursive: true });
  const temporary = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}.tmp`;
  try {
    await writeFile(temporary, `${digest}\n${checksum(name, digest)}\n`, { flag: 'wx' });
    await rename(temporary, file);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Whether the text is one that was written under that name. */
export function isWholeMemo(name: string, text: string): boolean {
  const digest = text.slice(0, digestLength);
  return isDigest(digest) && text === `${digest}\n${checksum(name, digest)}\n`;
}

function checksum(name: string, digest: Digest): string {
  return hexOf(sha256(`${name} ${digest}`));
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
