/**
 * A cache mount's tree to bytes and back. A tree has exactly one encoding. The reader trusts nothing: a node names its
 * directory by the place of an earlier node, so that no path can lead anywhere else, and every number has a bound.
 */
import { type Digest, hexOf } from '@tsbuild/core';
import type { Xattr } from '@tsbuild/native';
import { BytesReader, BytesWriter, damaged } from './bytes.js';
import { packTypes } from './media-types.js';
import {
  type Chunk,
  chunkBytes,
  limits,
  type MountTree,
  type NodeContent,
  pieceLength,
  type TreeNode,
  type TreePack,
} from './tree.js';

const magic = Buffer.from('tsbuild mount tree 1\n');
const types = ['directory', 'file', 'symlink', 'hardlink', 'fifo'] as const;
/** (uid_t)-1 is no user: chown(2) takes it for "as it is". */
const mostId = 0xfffffffe;

export function encodeTree({ packs, chunks, nodes }: MountTree): Buffer {
  const out = new BytesWriter();
  out.raw(magic);
  out.number(packs.length);
  for (const pack of packs) {
    out.number(packTypes.indexOf(pack.mediaType));
    digest(out, pack.digest);
    out.number(pack.size);
    out.number(pack.length);
  }
  out.number(chunks.length);
  for (const chunk of chunks) {
    digest(out, chunk.digest);
    out.number(chunk.pack);
    out.number(chunk.offset);
    out.number(chunk.length);
  }
  out.number(nodes.length);
  for (const node of nodes) encodeNode(out, node);
  return out.finish();
}

function digest(out: BytesWriter, value: Digest): void {
  out.raw(Buffer.from(hexOf(value), 'hex'));
}

function encodeNode(out: BytesWriter, node: TreeNode): void {
  out.number(types.indexOf(node.type));
  out.number(node.parent);
  out.string(node.name);
  if (node.type === 'hardlink') {
    out.number(node.to);
    return;
  }
  out.number(node.mode);
  out.number(node.uid);
  out.number(node.gid);
  out.int64(node.mtimeNs);
  out.number(node.xattrs.length);
  for (const { name, value } of node.xattrs) {
    out.string(Buffer.from(name, 'latin1'));
    out.string(value);
  }
  if (node.type === 'symlink') out.string(node.target);
  if (node.type !== 'file') return;
  out.number(node.size);
  out.number(node.sparse ? 1 : 0);
  for (const chunk of node.pieces) out.number(chunk === undefined ? 0 : chunk + 1);
}

/** @throws TsbuildError TSB_INTEGRITY_CACHE_MOUNT */
export function decodeTree(bytes: Buffer): MountTree {
  const input = new BytesReader(bytes);
  if (!input.raw(magic.length).equals(magic)) throw damaged('it is no tree that this tsbuild can read');
  const packs = list(input, limits.packs, 'the number of packs', () => decodePack(input));
  const chunks = list(input, limits.chunks, 'the number of chunks', () => decodeChunk(input, packs));
  const nodes: TreeNode[] = [];
  /** Bytes of the path of each directory. */
  const pathBytes = new Map<number, number>();
  const count = input.number(limits.nodes, 'the number of files');
  const budget = { pieces: limits.pieces };
  if (count === 0) throw damaged('it has no root');
  for (let index = 0; index < count; index++) {
    const node = decodeNode(input, nodes, chunks, budget);
    const above = index === 0 ? 0 : pathBytes.get(node.parent);
    if (above === undefined) throw damaged('a file is in what is no directory');
    const length = above + node.name.length + 1;
    if (length > limits.pathBytes) throw damaged('a path is too long');
    if (node.type === 'directory') pathBytes.set(index, length);
    nodes.push(node);
  }
  input.finish();
  return { packs, chunks, nodes };
}

function list<T>(input: BytesReader, most: number, what: string, read: () => T): T[] {
  const count = input.number(most, what);
  const items: T[] = [];
  for (let i = 0; i < count; i++) items.push(read());
  return items;
}

function readDigest(input: BytesReader): Digest {
  return `sha256:${input.raw(32).toString('hex')}` as Digest;
}

function decodePack(input: BytesReader): TreePack {
  const mediaType = packTypes[input.number(packTypes.length - 1, 'the type of a pack')] ?? '';
  return {
    mediaType,
    digest: readDigest(input),
    size: input.number(limits.packBytes, 'the size of a pack'),
    length: input.number(limits.packBytes, 'the length of a pack'),
  };
}

function decodeChunk(input: BytesReader, packs: readonly TreePack[]): Chunk {
  const chunk = {
    digest: readDigest(input),
    pack: input.number(limits.packs, 'the pack of a chunk'),
    offset: input.number(limits.packBytes, 'the place of a chunk'),
    length: input.number(chunkBytes, 'the length of a chunk'),
  };
  const pack = packs[chunk.pack];
  if (pack === undefined || chunk.length === 0 || chunk.offset + chunk.length > pack.length) {
    throw damaged('a chunk is in no pack');
  }
  return chunk;
}

interface Budget {
  pieces: number;
}

function decodeNode(
  input: BytesReader,
  before: readonly TreeNode[],
  chunks: readonly Chunk[],
  budget: Budget,
): TreeNode {
  const isRoot = before.length === 0;
  const type = types[input.number(types.length - 1, 'the type of a file')];
  const parent = input.number(limits.nodes, 'the directory of a file');
  const name = input.string(255, 'a name');
  if (isRoot ? type !== 'directory' || name.length > 0 || parent !== 0 : !isName(name)) {
    throw damaged(isRoot ? 'its root is no directory' : 'a name is not allowed');
  }
  if (type === 'hardlink') {
    const to = input.number(limits.nodes, 'the target of a link');
    const target = before[to];
    if (target?.type !== 'file') throw damaged('a hard link leads to no file');
    const { mode, uid, gid, mtimeNs, xattrs } = target;
    return { parent, name, mode, uid, gid, mtimeNs, xattrs, type, to };
  }
  const attributes = {
    mode: input.number(0o7777, 'a mode'),
    uid: input.number(mostId, 'a user id'),
    gid: input.number(mostId, 'a group id'),
    mtimeNs: input.int64(),
    xattrs: list(input, limits.xattrsPerNode, 'the number of attributes', () => decodeXattr(input)),
  };
  return { parent, name, ...attributes, ...decodeContent(input, type, chunks, budget) };
}

function isName(name: Buffer): boolean {
  if (name.length === 0 || name.includes(0) || name.includes(0x2f)) return false;
  const text = name.toString('latin1');
  return text !== '.' && text !== '..';
}

function decodeXattr(input: BytesReader): Xattr {
  const name = input.string(255, 'the name of an attribute').toString('latin1');
  if (name === '' || name.includes('\0')) throw damaged('the name of an attribute is not allowed');
  return { name, value: input.string(limits.xattrBytes, 'an attribute') };
}

function decodeContent(
  input: BytesReader,
  type: Exclude<NodeContent['type'], 'hardlink'> | undefined,
  chunks: readonly Chunk[],
  budget: Budget,
): NodeContent {
  if (type === 'symlink') {
    const target = input.string(limits.pathBytes - 1, 'the target of a link');
    if (target.length === 0 || target.includes(0)) throw damaged('the target of a link is not allowed');
    return { type, target };
  }
  if (type !== 'file') return { type: type ?? 'directory' };
  const size = input.number(limits.fileBytes, 'the size of a file');
  const sparse = input.number(1, 'a flag of a file') === 1;
  const pieces: (number | undefined)[] = [];
  for (let piece = 0; piece * chunkBytes < size; piece++) {
    if (budget.pieces-- === 0) throw damaged('its files are too large');
    const place = input.number(limits.chunks, 'a piece of a file');
    if (place === 0 && !sparse) throw damaged('a file has a hole that it must not have');
    if (place > 0 && chunks[place - 1]?.length !== pieceLength(size, piece)) {
      throw damaged('a piece of a file has not the length it must have');
    }
    pieces.push(place === 0 ? undefined : place - 1);
  }
  return { type, size, sparse, pieces };
}
