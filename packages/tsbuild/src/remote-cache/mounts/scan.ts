/** The files of a cache mount as they are now: the nodes of its tree, and the digest of every piece of content. */
import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import { type Digest, TsbuildError } from '@tsbuild/core';
import * as native from '@tsbuild/native';
import type { Fd, WalkEntry } from '@tsbuild/native';
import { chunkBytes, type FileNode, limits, pieceLength, type TreeNode } from './tree.js';
import { isPortableXattr } from './write-tree.js';

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS } = native.constants;
const { S_IFMT, S_IFDIR, S_IFREG, S_IFLNK, S_IFIFO } = native.constants;

export interface ScannedFile {
  /** Its pieces are still to be filled in. */
  node: FileNode;
  path: Buffer;
  /** Of each piece; undefined is a hole. */
  digests: (Digest | undefined)[];
}

export interface Scan {
  nodes: TreeNode[];
  /** Those of the nodes that are files with content of their own. */
  files: ScannedFile[];
  /** Of content, holes left out. */
  bytes: number;
}

/** A file is not what it was a moment ago: someone writes to the mount. */
export class ChangedMeanwhile extends Error {}

/**
 * Reads everything below an open directory. Sockets and devices are left out: no cache needs them, and a device that
 * comes out of a shared cache would be a way to the machine's disks.
 * @param most bytes of content that are allowed
 * @throws TsbuildError TSB_CACHE_MOUNT_*; ChangedMeanwhile
 */
export async function scanMount(root: Fd, most: number, signal: AbortSignal): Promise<Scan> {
  const token = new native.CancelToken();
  const cancel = () => token.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const entries = await native.walk(root, '', { xattrs: true }, token);
    const { nodes, files, bytes } = nodesOf(root, entries);
    if (nodes.length > limits.nodes) throw tooLarge(`has more than ${limits.nodes} files`);
    if (bytes > most) throw tooLarge(`has ${bytes} bytes, more than the ${most} that are allowed`);
    await digestFiles(root, files, token, signal);
    return { nodes, files, bytes };
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

function tooLarge(why: string): TsbuildError {
  return new TsbuildError('TSB_STORE_CACHE_MOUNT', `it ${why}`, {
    hint: 'Raise the limit with max= of --cache-mount, or empty the cache mount.',
  });
}

function nodesOf(root: Fd, entries: readonly WalkEntry[]): Scan {
  const top = native.stat(root, '');
  const attributes = attributesOf({ ...top, xattrs: native.listXattrs(root, '') });
  const nodes: TreeNode[] = [{ parent: 0, name: Buffer.alloc(0), ...attributes, type: 'directory' }];
  const files: ScannedFile[] = [];
  const directories = new Map<string, number>([['', 0]]);
  /** Index by device and inode of files with several names. */
  const linked = new Map<string, number>();
  let bytes = 0;
  for (const entry of entries) {
    if (entry.path.length >= limits.pathBytes) throw tooLarge('has a path that is too long');
    const slash = entry.path.lastIndexOf(0x2f);
    const parent = directories.get(entry.path.toString('latin1', 0, Math.max(0, slash)));
    if (parent === undefined) throw new ChangedMeanwhile();
    const place = { parent, name: entry.path.subarray(slash + 1), ...attributesOf(entry) };
    const type = entry.mode & S_IFMT;
    if (type === S_IFDIR) {
      directories.set(entry.path.toString('latin1'), nodes.length);
      nodes.push({ ...place, type: 'directory' });
    } else if (type === S_IFLNK) {
      nodes.push({ ...place, type: 'symlink', target: entry.link ?? Buffer.alloc(0) });
    } else if (type === S_IFIFO) {
      nodes.push({ ...place, type: 'fifo' });
    } else if (type === S_IFREG) {
      const inode = entry.nlink > 1 ? `${entry.devMajor}:${entry.devMinor}:${entry.ino}` : undefined;
      const to = inode === undefined ? undefined : linked.get(inode);
      if (to !== undefined) {
        nodes.push({ ...place, type: 'hardlink', to });
        continue;
      }
      if (inode !== undefined) linked.set(inode, nodes.length);
      if (entry.size > limits.fileBytes) throw tooLarge('has a file that is too large');
      const onDisk = entry.blocks * 512;
      const node: FileNode = {
        ...place,
        type: 'file',
        size: entry.size,
        sparse: onDisk < entry.size,
        pieces: [],
      };
      nodes.push(node);
      files.push({ node, path: entry.path, digests: [] });
      bytes += Math.min(onDisk, entry.size);
    }
  }
  return { nodes, files, bytes };
}

function attributesOf({ mode, uid, gid, mtimeNs, xattrs = [] }: Omit<WalkEntry, 'path' | 'link'>) {
  return {
    mode: mode & 0o7777,
    uid,
    gid,
    mtimeNs,
    xattrs: xattrs.filter(({ name }) => isPortableXattr(name)),
  };
}

/** Most files are one piece: those are digested natively, on all cores. */
async function digestFiles(
  root: Fd,
  files: readonly ScannedFile[],
  token: native.CancelToken,
  signal: AbortSignal,
): Promise<void> {
  const whole = files.filter(({ node: { size, sparse } }) => size > 0 && size <= chunkBytes && !sparse);
  const paths = whole.map(({ path }) => path);
  const digests = await native.hashFiles(root, paths, token).catch((error: unknown) => {
    if (isGone(error)) throw new ChangedMeanwhile();
    throw error;
  });
  whole.forEach((file, index) => {
    const hex = digests.toString('hex', index * 32, index * 32 + 32);
    file.digests.push(`sha256:${hex}` as Digest);
  });
  for (const file of files) {
    if (file.node.size === 0 || file.digests.length > 0) continue;
    for (const { data } of readPieces(root, file)) {
      file.digests.push(file.node.sparse && isZero(data) ? undefined : digestOf(data));
      await new Promise(setImmediate);
      signal.throwIfAborted();
    }
  }
}

const zeros = Buffer.alloc(chunkBytes);

function isZero(data: Buffer): boolean {
  return data.equals(zeros.subarray(0, data.length));
}

export function digestOf(data: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(data).digest('hex')}` as Digest;
}

/**
 * The pieces of a file that are wanted, each in a buffer of its own.
 * @throws ChangedMeanwhile where the file is gone or has another size
 */
export function* readPieces(
  root: Fd,
  { node, path }: ScannedFile,
  wanted: (piece: number) => boolean = () => true,
): Generator<{ piece: number; data: Buffer }> {
  let fd: Fd;
  try {
    const flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
    fd = native.openat2(root, path, flags, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
  } catch (error) {
    if (isGone(error)) throw new ChangedMeanwhile();
    throw error;
  }
  try {
    const { mode, size } = native.stat(fd, '');
    if ((mode & S_IFMT) !== S_IFREG || size !== node.size) throw new ChangedMeanwhile();
    for (let piece = 0; piece * chunkBytes < size; piece++) {
      if (!wanted(piece)) continue;
      const data = Buffer.allocUnsafe(pieceLength(size, piece));
      for (let at = 0; at < data.length; ) {
        const read = readSync(fd, data, at, data.length - at, piece * chunkBytes + at);
        if (read === 0) throw new ChangedMeanwhile();
        at += read;
      }
      yield { piece, data };
    }
  } finally {
    native.close(fd);
  }
}

function isGone(error: unknown): boolean {
  const { code = '' } = error as NodeJS.ErrnoException;
  return ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO', 'EISDIR', 'EINVAL'].includes(code);
}
