/**
 * What a snapshot changes on the layers below it, in the order a layer's tar has it: the rules of BuildKit's
 * util/overlay/overlay_linux.go (Changes) and containerd's archive.ChangeWriter.
 */
import { readSync } from 'node:fs';
import * as native from '@tsbuild/native';
import type { Fd, Stat } from '@tsbuild/native';
import { type DiffDir, type DiffRoot, isOpaque, openDiffDir, readDiffDir } from '../snapshot/diff-dir.js';
import { descend, emptyMergedDir, lookUp, type Found, type MergedDir, mergedRoot, namesOf } from '../snapshot/lower-chain.js';

const { S_IFMT, S_IFDIR, S_IFREG, S_IFLNK, O_RDONLY, O_NOFOLLOW, O_NONBLOCK, RESOLVE_BENEATH } = native.constants;

/** An entry that is recorded. `dirfd` is open until the next entry is asked for. */
export type Change =
  | { kind: 'entry'; path: Buffer; stat: Stat; dirfd: Fd; name: Buffer }
  | { kind: 'removed'; path: Buffer };

interface Ancestor {
  path: Buffer;
  stat: Stat;
  dirfd: Fd;
  name: Buffer;
  written: boolean;
}

/**
 * @param lower diffs of the layers below, top first
 * The directories on the way to a change come before it, once each, with their own metadata.
 */
export function* changesOf(diff: DiffRoot, lower: readonly DiffDir[]): Generator<Change> {
  yield* walk(diff, mergedRoot(lower), isOpaque(diff), '', []);
}

function* walk(
  dir: DiffDir,
  lower: MergedDir,
  opaque: boolean,
  path: string,
  ancestors: Ancestor[],
): Generator<Change> {
  for (const { name, whiteout, stat } of withVanished(dir, lower, opaque)) {
    const below = lookUp(lower, name);
    const childPath = path === '' ? name.toString('latin1') : `${path}/${name.toString('latin1')}`;
    const bytes = Buffer.from(childPath, 'latin1');
    if (whiteout || stat === undefined) {
      if (below === undefined) continue;
      yield* parents(ancestors);
      yield { kind: 'removed', path: bytes };
      continue;
    }
    const self: Ancestor = { path: bytes, stat, dirfd: dir.fd, name, written: false };
    if (below === undefined || !isSame(self, below)) yield* parents([...ancestors, self]);
    if ((stat.mode & S_IFMT) === S_IFDIR) yield* walkChild(dir, lower, below, opaque, childPath, [...ancestors, self]);
  }
}

function* walkChild(
  dir: DiffDir,
  lower: MergedDir,
  below: Found | undefined,
  opaque: boolean,
  path: string,
  ancestors: Ancestor[],
): Generator<Change> {
  const name = ancestors.at(-1)?.name as Buffer;
  const child = openDiffDir(dir, name);
  const childLower = below !== undefined && isDirectory(below.stat) ? descend(lower, name) : emptyMergedDir;
  try {
    yield* walk(child, childLower, opaque || isOpaque(child), path, ancestors);
  } finally {
    if (childLower !== emptyMergedDir) childLower.close();
    native.close(child.fd);
  }
}

/** Entries of a diff's directory; below an opaque one also the lower names that it hides, as whiteouts. */
function withVanished(dir: DiffDir, lower: MergedDir, opaque: boolean) {
  const entries = readDiffDir(dir);
  if (!opaque || lower.parts.length === 0) return entries;
  const present = new Set(entries.map(({ name }) => name.toString('latin1')));
  const vanished = namesOf(lower)
    .filter((name) => !present.has(name.toString('latin1')))
    .map((name) => ({ name, whiteout: true, stat: undefined }));
  return [...entries, ...vanished].sort((a, b) => Buffer.compare(a.name, b.name));
}

function* parents(ancestors: readonly Ancestor[]): Generator<Change> {
  for (const ancestor of ancestors) {
    if (ancestor.written) continue;
    ancestor.written = true;
    const { path, stat, dirfd, name } = ancestor;
    yield { kind: 'entry', path, stat, dirfd, name };
  }
}

function isDirectory(stat: Stat): boolean {
  return (stat.mode & S_IFMT) === S_IFDIR;
}

/**
 * Equal to the lower entry: type, mode, owner, device, capability; for all but directories size and time too, and
 * the content where both times have whole seconds only (BuildKit's sameDirent).
 */
function isSame(upper: Ancestor, lower: Found): boolean {
  const [a, b] = [upper.stat, lower.stat];
  const equal =
    a.mode === b.mode && a.uid === b.uid && a.gid === b.gid && a.rdevMajor === b.rdevMajor && a.rdevMinor === b.rdevMinor;
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
