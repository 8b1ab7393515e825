/** Layers and root file systems as deterministic tar streams: same files, same bytes. */
import { readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { TsbuildError } from '@tsbuild/core';
import * as native from '@tsbuild/native';
import type { Fd, Stat } from '@tsbuild/native';
import type { SnapshotId } from '@tsbuild/solver';
import type { PackOptions } from '../api.js';
import type { DiffRoot } from '../snapshot/diff-dir.js';
import type { Snapshotter } from '../snapshot/index.js';
import { capability, type Change, changesOf, openFile } from './changes.js';
import { encodeHeader, endOfArchive, paddingOf, tarType, type TarEntry, type TarType } from './tar-header.js';
import { isHole, zeros } from './zeros.js';

const { S_IFMT, S_IFREG, S_IFDIR, S_IFLNK, S_IFCHR, S_IFBLK, S_IFIFO } = native.constants;

/** Small files are gathered into chunks of this size, large ones are read in them. */
const chunkSize = zeros.length;

/** The changes of one layer of a chain. @param chain snapshots, bottom first; @param index of the layer in it */
export async function* packLayer(
  snapshotter: Snapshotter,
  chain: readonly SnapshotId[],
  index: number,
  options: PackOptions = {},
): AsyncGenerator<Buffer> {
  const id = chain[index];
  if (id === undefined) throw new RangeError(`layer ${index} of ${chain.length}`);
  const diffs: DiffRoot[] = [];
  try {
    for (const each of chain.slice(0, index + 1)) diffs.push(snapshotter.openDiff(each));
    const [own, ...below] = diffs.slice().reverse();
    if (own === undefined) return;
    yield* packChanges(changesOf(own, below), options);
  } finally {
    for (const diff of diffs) diff.close();
  }
}

/** The whole root file system. */
export async function* packRootfs(
  snapshotter: Snapshotter,
  chain: readonly SnapshotId[],
  options: PackOptions = {},
): AsyncGenerator<Buffer> {
  const view = await snapshotter.view(chain, options.signal);
  try {
    const root = { fd: view.fd, path: '', marks: undefined, close() {} };
    yield* packChanges(changesOf(root, []), options);
  } finally {
    await view.close();
  }
}

async function* packChanges(changes: Iterable<Change>, options: PackOptions): AsyncGenerator<Buffer> {
  const firstNames = new Map<string, Buffer>();
  let parts: Buffer[] = [];
  let size = 0;
  for (const change of changes) {
    options.signal?.throwIfAborted();
    const item =
      change.kind === 'removed' ? { header: whiteout(change.path) } : tarItem(change, firstNames, options);
    if (item === undefined) continue;
    parts.push(encodeHeader(item.header));
    size += 512;
    if (item.file !== undefined) {
      for (const chunk of fileData(item.file.dirfd, item.file.name, item.header)) {
        parts.push(chunk);
        size += chunk.length;
        if (size < chunkSize) continue;
        yield flush();
        await setImmediate();
      }
    }
    if (size < chunkSize) continue;
    yield flush();
    await setImmediate();
  }
  parts.push(endOfArchive());
  yield flush();

  function flush(): Buffer {
    const [only] = parts;
    const chunk = only !== undefined && parts.length === 1 ? only : Buffer.concat(parts);
    options.progress?.(chunk.length);
    parts = [];
    size = 0;
    return chunk;
  }
}

/** An empty file DIR/.wh.NAME says that NAME is gone (image-spec layer.md, "Whiteouts"). */
function whiteout(path: Buffer): TarEntry {
  const at = path.lastIndexOf(0x2f) + 1;
  const name = Buffer.concat([path.subarray(0, at), Buffer.from('.wh.'), path.subarray(at)]);
  return { type: tarType.file, name, mode: 0, uid: 0, gid: 0, size: 0, mtime: 0 };
}

interface TarItem {
  header: TarEntry;
  /** Whose data follows. */
  file?: { dirfd: Fd; name: Buffer };
}

/** Undefined for sockets, which no archive holds. */
function tarItem(
  { path, stat, dirfd, name }: Extract<Change, { kind: 'entry' }>,
  firstNames: Map<string, Buffer>,
  options: PackOptions,
): TarItem | undefined {
  const type = typeOf(stat);
  if (type === undefined) return undefined;
  if (name.subarray(0, 4).equals(Buffer.from('.wh.'))) {
    throw new TsbuildError('TSB_EXEC_WHITEOUT_NAME', `/${path.toString()} cannot be part of a layer`, {
      hint: 'Names that start with .wh. mean removed files in image layers; rename the file.',
    });
  }
  const header: TarEntry = {
    type,
    name: type === tarType.directory ? Buffer.concat([path, Buffer.from('/')]) : path,
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    size: 0,
    mtime: options.fileSeconds ?? secondsOf(stat.mtimeNs, options.clampSeconds),
    ...(type === tarType.charDevice || type === tarType.blockDevice
      ? { devMajor: stat.rdevMajor, devMinor: stat.rdevMinor }
      : {}),
  };
  if (type === tarType.directory) return { header };
  const value = capability(dirfd, name, stat);
  const records =
    value.length === 0 ? {} : { records: [['SCHILY.xattr.security.capability', value]] as const };
  const first = firstName(stat, path, firstNames);
  if (first !== undefined)
    return { header: { ...header, ...records, type: tarType.hardLink, linkname: first } };
  if (type === tarType.symlink) return { header: { ...header, linkname: native.readlinkat(dirfd, name) } };
  if (type !== tarType.file) return { header };
  return { header: { ...header, ...records, size: stat.size }, file: { dirfd, name } };
}

function typeOf(stat: Stat): TarType | undefined {
  const types = new Map<number, TarType>([
    [S_IFREG, tarType.file],
    [S_IFDIR, tarType.directory],
    [S_IFLNK, tarType.symlink],
    [S_IFCHR, tarType.charDevice],
    [S_IFBLK, tarType.blockDevice],
    [S_IFIFO, tarType.fifo],
  ]);
  return types.get(stat.mode & S_IFMT);
}

/** The name under which a file with several names was written before. */
function firstName(stat: Stat, path: Buffer, firstNames: Map<string, Buffer>): Buffer | undefined {
  if (stat.nlink < 2) return undefined;
  const inode = `${stat.devMajor}:${stat.devMinor}:${stat.ino}`;
  const first = firstNames.get(inode);
  if (first === undefined) firstNames.set(inode, path);
  return first;
}

/** Whole seconds, towards the past as Go's Time.Unix has it. */
function secondsOf(ns: bigint, clamp: number | undefined): number {
  const seconds = Number((ns - (((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n)) / 1_000_000_000n);
  return clamp === undefined ? seconds : Math.min(seconds, clamp);
}

/**
 * The file's bytes and the padding to whole blocks.
 * @throws TsbuildError when the file is not as long as its header says
 */
function* fileData(dirfd: Fd, name: Buffer, header: TarEntry): Generator<Buffer> {
  if (header.size === 0) return;
  const fd = openFile(dirfd, name);
  try {
    // Holes are all the same: one buffer to read them into, and one to hand out.
    let unused: Buffer | undefined;
    for (let at = 0; at < header.size; ) {
      const buffer = unused ?? Buffer.allocUnsafe(Math.min(chunkSize, header.size - at));
      const read = readSync(fd, buffer, 0, Math.min(buffer.length, header.size - at), at);
      if (read === 0) {
        const message = `/${header.name.toString()} became shorter while it was read`;
        throw new TsbuildError('TSB_STORE_SNAPSHOT_CHANGED', message, {
          hint: 'Something outside of tsbuild writes into its store; build again.',
        });
      }
      const part = buffer.subarray(0, read);
      const hole = isHole(part);
      unused = hole ? buffer : undefined;
      yield hole ? zeros.subarray(0, read) : part;
      at += read;
    }
  } finally {
    native.close(fd);
  }
  const padding = paddingOf(header.size);
  if (padding > 0) yield Buffer.alloc(padding);
}
