/**
 * What a chain of diffs shows at a path, found by looking into the diffs themselves: without a mount and without
 * walking anything that is not asked for.
 */
import * as native from '@tsbuild/native';
import type { Fd, Stat } from '@tsbuild/native';
import { findInDiff, isDirectory, isOpaque, openDiffDir, readDiffDir } from './diff-dir.js';
import type { DiffDir } from './diff-dir.js';

/** A directory of the merged view: the directories of the diffs that make it up, top first. */
export interface MergedDir {
  readonly parts: readonly DiffDir[];
  close(): void;
}

export interface Found {
  stat: Stat;
  /** Directory that holds the entry; valid as long as the MergedDir it was looked up in. */
  dirfd: Fd;
}

export const emptyMergedDir: MergedDir = { parts: [], close() {} };

/** The root of a chain of diffs, top first. The caller keeps closing the diffs; `close` does nothing. */
export function mergedRoot(diffs: readonly DiffDir[]): MergedDir {
  const parts: DiffDir[] = [];
  for (const diff of diffs) {
    parts.push(diff);
    if (isOpaque(diff)) break;
  }
  return { parts, close() {} };
}

/** The entry that the merged view shows under a name. */
export function lookUp(dir: MergedDir, name: Buffer): Found | undefined {
  for (const part of dir.parts) {
    const entry = findInDiff(part, name);
    if (entry?.whiteout === true) return undefined;
    if (entry?.stat !== undefined) return { stat: entry.stat, dirfd: part.fd };
  }
  return undefined;
}

/** The merged directory of a name; empty where there is none. The caller closes it. */
export function descend(dir: MergedDir, name: Buffer): MergedDir {
  const parts: DiffDir[] = [];
  for (const part of dir.parts) {
    const entry = findInDiff(part, name);
    if (entry === undefined) continue;
    if (entry.stat === undefined || !isDirectory(entry.stat)) break;
    const child = openDiffDir(part, name);
    parts.push(child);
    if (isOpaque(child)) break;
  }
  if (parts.length === 0) return emptyMergedDir;
  return {
    parts,
    close() {
      for (const part of parts) native.close(part.fd);
    },
  };
}

/** Names that the merged directory shows, sorted by bytes. */
export function namesOf(dir: MergedDir): Buffer[] {
  const hidden = new Set<string>();
  const names: Buffer[] = [];
  for (const part of dir.parts) {
    for (const entry of readDiffDir(part)) {
      const key = entry.name.toString('latin1');
      if (hidden.has(key)) continue;
      hidden.add(key);
      if (!entry.whiteout) names.push(entry.name);
    }
  }
  return names.sort(Buffer.compare);
}

/**
 * Looks a path up whose parts are plain names; links on the way are not followed. `use` gets the entry while the
 * directories on the way are open.
 */
export function withPath<T>(
  root: MergedDir,
  names: readonly Buffer[],
  use: (found: Found | undefined) => T,
): T {
  const opened: MergedDir[] = [];
  try {
    let dir = root;
    for (const name of names.slice(0, -1)) {
      dir = descend(dir, name);
      opened.push(dir);
    }
    const last = names.at(-1);
    return use(last === undefined ? undefined : lookUp(dir, last));
  } finally {
    for (const dir of opened) dir.close();
  }
}
