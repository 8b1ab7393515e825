/** Which parts of an input are compared, and how a link to it says so. */
import { type Digest, hasWildcard, sha256 } from '@tsbuild/core';
import type { BuildkitSelector } from './node.js';

export function wholePath(path: string, followLinks: boolean): BuildkitSelector {
  return { path, wildcard: false, followLinks, include: [], exclude: [] };
}

export function copySelector(
  path: string,
  options: { wildcards: boolean; followLinks: boolean; include: string[]; exclude: string[] },
): BuildkitSelector {
  const { wildcards, followLinks, include, exclude } = options;
  return { path, wildcard: wildcards && hasWildcard(path), followLinks, include, exclude };
}

/** A file step's: paths in falling order. */
export function fileSelectorDigest(selectors: readonly BuildkitSelector[]): Digest {
  return sha256(
    selectors
      .map(({ path }) => path)
      .sort(byBytes)
      .reverse()
      .join('\0'),
  );
}

/** A RUN's: paths in the order of the mounts. */
export function runSelectorDigest(paths: readonly string[]): Digest {
  return sha256(paths.join('\0'));
}

/** Each path once and without those that lie in another; what has patterns stays as it is. In order of path. */
export function withoutDoubles(selectors: readonly BuildkitSelector[]): BuildkitSelector[] {
  const isPlain = (each: BuildkitSelector) =>
    !each.wildcard && each.include.length === 0 && each.exclude.length === 0;
  const plain = (followLinks: boolean) =>
    outermost(
      selectors.filter((each) => isPlain(each) && each.followLinks === followLinks).map(({ path }) => path),
    ).map((path) => wholePath(path, followLinks));
  const all = [...plain(false), ...plain(true), ...selectors.filter((each) => !isPlain(each))];
  return all.sort((a, b) => byBytes(a.path, b.path));
}

/** Paths that lie in no other one, sorted. */
export function outermost(paths: readonly string[]): string[] {
  if (paths.length < 2) return [...paths];
  const each = [...new Set(paths)];
  return each
    .filter((path) => !each.some((other) => other !== path && path.startsWith(slashed(other))))
    .sort(byBytes);
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function slashed(path: string): string {
  return path.endsWith('/') ? path : `${path}/`;
}
