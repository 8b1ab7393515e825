/**
 * A saved tree into an empty directory. The tree may be a stranger's: each node is made by one name (checked by the
 * codec) in the directory that an earlier node made, links are not followed, and nothing that is there is replaced, so
 * that a name which comes twice is an error.
 *
 * Order: directories, contents pack by pack, then per node owner, mode, attributes, times; directories last.
 */
import { createHash } from 'node:crypto';
import { ftruncateSync, writeSync } from 'node:fs';
import { hexOf } from '@tsbuild/core';
import { changeOwner } from '@tsbuild/executor';
import * as native from '@tsbuild/native';
import type { Fd } from '@tsbuild/native';
import { damaged } from './bytes.js';
import { chunkBytes, type FileNode, type MountTree, type TreeNode, type TreePack } from './tree.js';

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_PATH, O_WRONLY, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS } =
  native.constants;

/** Parents that are kept open; nodes of one directory come one after another. */
const maxOpenParents = 64;
/** In sparse files, blocks of this many zero bytes are left out. */
const holeBytes = 4096;
const zeros = Buffer.alloc(holeBytes);

/**
 * @param root an empty directory
 * @param packs gives the unpacked packs, each once, in any order
 * @throws TsbuildError TSB_INTEGRITY_CACHE_MOUNT, system errors; what was written until then stays
 */
export async function writeTree(
  tree: MountTree,
  root: Fd,
  packs: (wanted: readonly TreePack[]) => AsyncIterable<{ index: number; bytes: Buffer }>,
): Promise<void> {
  const writer = new TreeWriter(tree, root);
  try {
    writer.makeDirectories();
    for await (const { index, bytes } of packs(tree.packs)) writer.writePack(index, bytes);
    writer.finish();
  } finally {
    writer.close();
  }
}

class TreeWriter {
  private readonly parents = new Map<number, Fd>();
  /** Files that have been made. */
  private readonly made = new Set<number>();
  /** For each pack, where its chunks go. */
  private readonly uses: { node: number; piece: number; chunk: number }[][];

  constructor(
    private readonly tree: MountTree,
    private readonly root: Fd,
  ) {
    this.uses = tree.packs.map(() => []);
    tree.nodes.forEach((node, index) => {
      if (node.type !== 'file') return;
      node.pieces.forEach((chunk, piece) => {
        if (chunk === undefined) return;
        this.uses[tree.chunks[chunk]?.pack ?? -1]?.push({ node: index, piece, chunk });
      });
    });
  }

  makeDirectories(): void {
    this.tree.nodes.forEach((node, index) => {
      if (node.type === 'directory' && index > 0) native.mkdirat(this.parent(node.parent), node.name, 0o700);
    });
  }

  writePack(pack: number, bytes: Buffer): void {
    const verified = new Set<number>();
    for (const { node, piece, chunk: index } of this.uses[pack] ?? []) {
      const chunk = this.tree.chunks[index];
      const file = this.tree.nodes[node];
      if (chunk === undefined || file?.type !== 'file') continue;
      const data = bytes.subarray(chunk.offset, chunk.offset + chunk.length);
      if (!verified.has(index) && createHash('sha256').update(data).digest('hex') !== hexOf(chunk.digest)) {
        throw damaged('a chunk is not what the tree says');
      }
      verified.add(index);
      this.withFile(node, file, (fd) => writeAt(fd, data, piece * chunkBytes, file.sparse));
    }
  }

  finish(): void {
    const { nodes } = this.tree;
    nodes.forEach((node, index) => {
      if (node.type === 'directory') return;
      this.makeRest(node, index);
      if (node.type !== 'hardlink') setAttributes(this.parent(node.parent), node);
    });
    // A directory comes before what is in it; its times change while that is made.
    for (let index = nodes.length - 1; index >= 0; index--) {
      const node = nodes[index];
      if (node?.type === 'directory') setAttributes(index === 0 ? this.root : this.parent(node.parent), node);
    }
  }

  close(): void {
    for (const fd of this.parents.values()) native.close(fd);
    this.parents.clear();
  }

  private makeRest(node: TreeNode, index: number): void {
    const parent = this.parent(node.parent);
    switch (node.type) {
      case 'file':
        // Also what has no content or ends in a hole.
        if (!this.made.has(index) || node.sparse) {
          this.withFile(index, node, (fd) => ftruncateSync(fd, node.size));
        }
        return;
      case 'symlink':
        native.symlinkat(node.target, parent, node.name);
        return;
      case 'fifo':
        native.mknodat(parent, node.name, native.constants.S_IFIFO | 0o600, 0, 0);
        return;
      case 'hardlink': {
        const target = this.tree.nodes[node.to];
        if (target === undefined) return;
        // Opening the one parent may close the other.
        const from = this.openDirectory(target.parent);
        try {
          native.linkat(from, target.name, parent, node.name);
        } finally {
          native.close(from);
        }
      }
    }
  }

  private withFile(index: number, { parent, name }: FileNode, use: (fd: Fd) => void): void {
    const create = this.made.has(index) ? 0 : O_CREAT | O_EXCL;
    const flags = O_WRONLY | O_NOFOLLOW | create;
    const fd = native.openat2(this.parent(parent), name, flags, create ? 0o600 : 0, RESOLVE_BENEATH);
    this.made.add(index);
    try {
      use(fd);
    } finally {
      native.close(fd);
    }
  }

  private parent(index: number): Fd {
    if (index === 0) return this.root;
    const known = this.parents.get(index);
    if (known !== undefined) return known;
    const fd = this.openDirectory(index);
    if (this.parents.size >= maxOpenParents) this.close();
    this.parents.set(index, fd);
    return fd;
  }

  private openDirectory(index: number): Fd {
    const names: Buffer[] = [];
    const slash = Buffer.from('/');
    for (let at = index; at !== 0; ) {
      const node = this.tree.nodes[at];
      if (node === undefined) break;
      names.unshift(node.name, slash);
      at = node.parent;
    }
    const path = names.length === 0 ? '.' : Buffer.concat(names.slice(0, -1));
    return native.openat2(this.root, path, O_PATH | O_DIRECTORY, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
  }
}

function writeAt(fd: Fd, data: Buffer, position: number, sparse: boolean): void {
  if (!sparse) {
    writeAll(fd, data, position);
    return;
  }
  let start = 0;
  for (let at = 0; at < data.length; at += holeBytes) {
    const block = data.subarray(at, at + holeBytes);
    if (!block.equals(zeros.subarray(0, block.length))) continue;
    writeAll(fd, data.subarray(start, at), position + start);
    start = at + block.length;
  }
  writeAll(fd, data.subarray(start), position + start);
}

function writeAll(fd: Fd, data: Buffer, position: number): void {
  for (let at = 0; at < data.length; ) at += writeSync(fd, data, at, data.length - at, position + at);
}

/** @param parent the directory it is in; for the root, itself */
function setAttributes(parent: Fd, node: TreeNode): void {
  const { name, uid, gid, mode, mtimeNs, xattrs } = node;
  changeOwner(parent, name, uid, gid);
  if (node.type !== 'symlink') native.chmodat(parent, name, mode);
  for (const xattr of xattrs) setXattr(parent, name, xattr);
  native.utimesat(parent, name, mtimeNs, mtimeNs);
}

function setXattr(parent: Fd, name: Buffer, { name: attribute, value }: native.Xattr): void {
  if (!isPortableXattr(attribute)) return;
  try {
    native.setXattr(parent, name, attribute, value);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    // The file system has no such attributes, or they are beyond our rights.
    if (!['ENOTSUP', 'EOPNOTSUPP', 'EPERM'].includes(code)) throw error;
  }
}

/** trusted.* is the host's own business (overlayfs keeps its marks there), and so is the overlay's user.* form. */
export function isPortableXattr(name: string): boolean {
  return !name.startsWith('trusted.') && !name.startsWith('user.overlay.') && name !== 'security.selinux';
}
