/** A cache mount's files as data: what the tree blob holds. docs/caching.md, "Cache mounts that travel". */
import type { Digest } from '@tsbuild/core';
import type { Xattr } from '@tsbuild/native';

/** Files are cut into pieces of this many bytes, the last one shorter. A part of the format: never change it. */
export const chunkBytes = 4 * 1024 * 1024;

/** Upper bounds of what is read, so that a hostile document costs no more than memory allows. */
export const limits = {
  /** Of a packed pack, and of an unpacked one. */
  packBytes: 32 * 1024 * 1024,
  /** Of a tree, packed and unpacked. */
  treeBytes: 128 * 1024 * 1024,
  packs: 65_536,
  chunks: 1_000_000,
  nodes: 1_000_000,
  /** Of a path from the mount's root: PATH_MAX. */
  pathBytes: 4096,
  xattrsPerNode: 64,
  /** Of one attribute: XATTR_SIZE_MAX. */
  xattrBytes: 65_536,
  fileBytes: 2 ** 40,
  /** Of all files together, holes counted. */
  pieces: 4_000_000,
} as const;

/** A blob of several chunks, one after another, compressed as a whole. */
export interface TreePack {
  mediaType: string;
  digest: Digest;
  /** Bytes of the blob. */
  size: number;
  /** Bytes unpacked. */
  length: number;
}

/** Up to chunkBytes of some file's content. */
export interface Chunk {
  digest: Digest;
  /** Index in MountTree.packs. */
  pack: number;
  /** In the unpacked pack. */
  offset: number;
  length: number;
}

export interface NodeAttributes {
  /** Permission bits with setuid, setgid and sticky. */
  mode: number;
  uid: number;
  gid: number;
  mtimeNs: bigint;
  xattrs: Xattr[];
}

export type NodeContent =
  | { type: 'directory' }
  | {
      type: 'file';
      size: number;
      /** Has holes: blocks of zeros are not written. */
      sparse: boolean;
      /** Index in MountTree.chunks for each chunkBytes of the file; undefined is a hole. */
      pieces: (number | undefined)[];
    }
  | { type: 'symlink'; target: Buffer }
  /** Another name of a file that comes before; its attributes are that file's. */
  | { type: 'hardlink'; to: number }
  | { type: 'fifo' };

export type TreeNode = {
  /** Index of the directory it is in, which comes before; the root's is 0. */
  parent: number;
  /** One name; empty for the root alone. */
  name: Buffer;
} & NodeAttributes &
  NodeContent;

export type FileNode = Extract<TreeNode, { type: 'file' }>;

export interface MountTree {
  packs: TreePack[];
  chunks: Chunk[];
  /** The first is the mount's root directory. */
  nodes: TreeNode[];
}

/** Bytes that each piece of a file of that size has. */
export function pieceLength(size: number, piece: number): number {
  return Math.min(chunkBytes, size - piece * chunkBytes);
}

/** Bytes that restoring the tree writes. */
export function contentBytes(tree: MountTree): number {
  let total = 0;
  for (const node of tree.nodes) {
    if (node.type !== 'file') continue;
    node.pieces.forEach((chunk, piece) => {
      if (chunk !== undefined) total += pieceLength(node.size, piece);
    });
  }
  return total;
}
