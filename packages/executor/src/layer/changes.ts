/**
 * What a snapshot changes on the layers below it, in the order a layer's tar has it: the rules of BuildKit's
 * util/overlay/overlay_linux.go (Changes) and containerd's archive.ChangeWriter.
 */
import { readSync } from 'node:fs';
import * as native from '@tsbuild/native';
import type { Fd, Stat } from '@tsbuild/native';
import {
  type DiffDir,
  type DiffEntry,
  type DiffRoot,
  isDirectory,
  isOpaque,
  joinPath,
  openDiffDir,
  readDiffDir,
} from '../snapshot/diff-dir.js';
import {
  descend,
  emptyMergedDir,
  type Found,
  lookUp,
  type MergedDir,
  mergedRoot,
  namesOf,
} from '../snapshot/lower-chain.js';

const { S_IFMT, S_IFREG, S_IFLNK, O_RDONLY, O_NOFOLLOW, O_NONBLOCK, RESOLVE_BENEATH } = native.constants;

/** An entry that is recorded. `dirfd` is open until the next entry is asked for. */
export type Change =
  | { kind: 'entry'; path: Buffer; stat: Stat; dirfd: Fd; name: Buffer }
  | { kind: 'removed'; path: Buffer };

interface Located {
  path: Buffer;
  stat: Stat;
  dirfd: Fd;
  name: Buffer;
}

/** A directory that is being walked; kept in a list, since a step can make a tree as deep as it likes. */
interface Level {
  dir: DiffDir;
  lower: MergedDir;
  /** Nothing of the lower layers shows in it. */
  opaque: boolean;
  path: string;
  entries: DiffEntry[];
  next: number;
  /** The directory itself as an entry; none for the root, which no layer records. */
  self?: Located;
}

/**
 * The directories on the way to a change come before it, once each, with their own metadata.
 * @param lower diffs of the layers below, top first
 */
export function* changesOf(diff: DiffRoot, lower: readonly DiffDir[]): Generator<Change> {
  const levels: Level[] = [enter(diff, mergedRoot(lower), isOpaque(diff), '')];
  // How many levels, from the top of the tree, have been recorded; the root counts as such.
  let recorded = 1;
  try {
    for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
      const entry = level.entries[level.next++];
      if (entry === undefined) {
        levels.pop();
        leave(level);
        recorded = Math.min(recorded, levels.length);
        continue;
      }
      const found = compare(level, entry);
      if (found.changed) {
        for (; recorded < levels.length; recorded++)
          yield { kind: 'entry', ...(levels[recorded]?.self as Located) };
        if (found.self === undefined) yield { kind: 'removed', path: found.path };
        else yield { kind: 'entry', ...found.self };
      }
      if (found.self === undefined || !isDirectory(found.self.stat)) continue;
      levels.push(enterChild(level, found.self, found.below));
      if (found.changed) recorded = levels.length;
    }
  } finally {
    for (const level of levels) leave(level);
  }
}

function enter(dir: DiffDir, lower: MergedDir, opaque: boolean, path: string): Level {
  return { dir, lower, opaque, path, entries: withVanished(dir, lower, opaque), next: 0 };
}

function enterChild(level: Level, self: Located, below: Found | undefined): Level {
  const dir = openDiffDir(level.dir, self.name);
  let lower = emptyMergedDir;
  try {
    if (below !== undefined && isDirectory(below.stat)) lower = descend(level.lower, self.name);
    return { ...enter(dir, lower, level.opaque || isOpaque(dir), self.path.toString('latin1')), self };
  } catch (error) {
    lower.close();
    native.close(dir.fd);
    throw error;
  }
}

/** Closes what enterChild opened; the root is the caller's. */
function leave(level: Level): void {
  if (level.self === undefined) return;
  level.lower.close();
  native.close(level.dir.fd);
}

interface Compared {
  path: Buffer;
  changed: boolean;
  /** Undefined for what is gone. */
  self?: Located;
  below?: Found | undefined;
}

function compare(level: Level, { name, whiteout, stat }: DiffEntry): Compared {
  const path = Buffer.from(joinPath(level.path, name.toString('latin1')), 'latin1');
  const below = lookUp(level.lower, name);
  if (whiteout || stat === undefined) return { path, changed: below !== undefined };
  const self = { path, stat, dirfd: level.dir.fd, name };
  return { path, changed: below === undefined || !isSame(self, below), self, below };
}

/** Entries of a diff's directory; below an opaque one also the lower names that it hides, as whiteouts. */
function withVanished(dir: DiffDir, lower: MergedDir, opaque: boolean): DiffEntry[] {
  const entries = readDiffDir(dir);
  if (!opaque || lower.parts.length === 0) return entries;
  const present = new Set(entries.map(({ name }) => name.toString('latin1')));
  const vanished = namesOf(lower)
    .filter((name) => !present.has(name.toString('latin1')))
    .map((name) => ({ name, whiteout: true, stat: undefined }));
  return [...entries, ...vanished].sort((a, b) => Buffer.compare(a.name, b.name));
}

/**
 * Equal to the lower entry: type, mode, owner, device, capability; for all but directories size and time too, and
 * the content where both times have whole seconds only (BuildKit's sameDirent).
 */
function isSame(upper: Located, lower: Found): boolean {
  const [a, b] = [upper.stat, lower.stat];
  const equal =
    a.mode === b.mode &&
    a.uid === b.uid &&
    a.gid === b.gid &&
    a.rdevMajor === b.rdevMajor &&
    a.rdevMinor === b.rdevMinor;
  if (!equal) return false;
  const [above, below] = [capability(upper.dirfd, upper.name, a), capability(lower.dirfd, upper.name, b)];
  if (!above.equals(below)) return false;
  if (isDirectory(a)) return true;
  if (a.size !== b.size || a.mtimeNs !== b.mtimeNs) return false;
  const type = a.mode & S_IFMT;
  if (type === S_IFLNK) {
    return native.readlinkat(upper.dirfd, upper.name).equals(native.readlinkat(lower.dirfd, upper.name));
  }
  if (a.mtimeNs % 1_000_000_000n !== 0n || type !== S_IFREG) return true;
  return sameContent(upper.dirfd, lower.dirfd, upper.name);
}

const none = Buffer.alloc(0);

/** The file capability, of regular files only: nothing else can have one that counts. */
export function capability(dirfd: Fd, name: Buffer, stat: Stat): Buffer {
  if ((stat.mode & S_IFMT) !== S_IFREG) return none;
  return native.listXattrs(dirfd, name).find((xattr) => xattr.name === 'security.capability')?.value ?? none;
}

export function openFile(dirfd: Fd, name: Buffer): Fd {
  return native.openat2(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, RESOLVE_BENEATH);
}

function sameContent(upper: Fd, lower: Fd, name: Buffer): boolean {
  const first = openFile(upper, name);
  try {
    const second = openFile(lower, name);
    try {
      const [a, b] = [Buffer.alloc(1 << 16), Buffer.alloc(1 << 16)];
      for (let at = 0; ; ) {
        const [read, other] = [readSync(first, a, 0, a.length, at), readSync(second, b, 0, b.length, at)];
        if (read !== other || !a.subarray(0, read).equals(b.subarray(0, other))) return false;
        if (read === 0) return true;
        at += read;
      }
    } finally {
      native.close(second);
    }
  } finally {
    native.close(first);
  }
}
