/** Which files two lists differ in. */
import type { FileAspect, FileChange } from '@tsbuild/core';
import * as native from '@tsbuild/native';
import type { FileDifference } from '@tsbuild/solver';
import { joinRaw, type RawPath, textOf } from '../rootfs/raw-path.js';
import type { FileEntry, FileGroup } from './manifest.js';

/** Changes of each kind that are listed. */
const listed = 100;

export function manifestDifference(
  before: readonly FileGroup[],
  after: readonly FileGroup[],
): FileDifference {
  const [old, present] = [byName(before), byName(after)];
  const changes: FileChange[] = [];
  for (const [name, { entry, path }] of present) {
    const earlier = old.get(name)?.entry;
    if (earlier === undefined) changes.push({ path, change: 'added' });
    else {
      const aspects = aspectsOf(earlier, entry);
      if (aspects.length > 0) changes.push({ path, change: 'changed', aspects });
    }
  }
  for (const [name, { path }] of old) if (!present.has(name)) changes.push({ path, change: 'removed' });
  const directories = new Set(
    [...old.values(), ...present.values()]
      .filter(({ entry }) => entry.type === native.constants.S_IFDIR)
      .map(({ path }) => path),
  );
  const told = withoutParents(changes, directories);
  const of = (change: FileChange['change']) => told.filter((each) => each.change === change);
  const kinds = [of('changed'), of('added'), of('removed')];
  const [changed = 0, added = 0, removed = 0] = kinds.map(({ length }) => length);
  return {
    files: kinds.flatMap((files) => files.sort(byPath).slice(0, listed)),
    counts: { changed, added, removed },
  };
}

function byPath(a: FileChange, b: FileChange): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}

interface Named {
  entry: FileEntry;
  path: string;
}

function byName(groups: readonly FileGroup[]): Map<string, Named> {
  const all = new Map<string, Named>();
  const seen = new Map<string, number>();
  for (const { name, path, entries } of groups) {
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    for (const entry of entries) {
      const full = textOf(joinRaw(path as RawPath, entry.name as RawPath));
      all.set(JSON.stringify([name, count, entry.name]), { entry, path: full === '' ? '.' : full });
    }
  }
  return all;
}

function aspectsOf(before: FileEntry, after: FileEntry): FileAspect[] {
  if (before.type !== after.type) return ['type'];
  const aspects: [FileAspect, boolean][] = [
    ['content', before.data !== after.data || before.size !== after.size],
    ['link', before.link !== after.link],
    ['device', before.device !== after.device],
    ['mode', before.mode !== after.mode],
    ['owner', before.uid !== after.uid || before.gid !== after.gid],
    ['attributes', before.xattrs !== after.xattrs],
    ['hard link', before.firstName !== after.firstName],
  ];
  return aspects.filter(([, differs]) => differs).map(([aspect]) => aspect);
}

/** A directory that came or went is told by what is in it. */
function withoutParents(changes: readonly FileChange[], directories: ReadonlySet<string>): FileChange[] {
  const parents = new Set<string>();
  for (const { path, change } of changes)
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1))
      parents.add(`${change} ${path.slice(0, slash)}`);
  return changes.filter(
    ({ path, change }) => change === 'changed' || !directories.has(path) || !parents.has(`${change} ${path}`),
  );
}
