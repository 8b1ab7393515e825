/** Blobs of saved mounts out of a medium: whole, verified, unpacked, and no larger than they may be. */
import type { Descriptor } from '@tsbuild/core';
import { collect, decompress, verified, type TransferOptions } from '@tsbuild/registry';
import type { CacheMedium } from '../medium.js';
import { damaged } from './bytes.js';
import { decodeIndex, indexBytes, type MountIndex } from './index-document.js';
import { limits, type MountTree, type TreePack } from './tree.js';
import { decodeTree } from './tree-codec.js';

async function fetchBytes(medium: CacheMedium, blob: Descriptor, options: TransferOptions): Promise<Buffer> {
  const stream = verified(await medium.open(blob, options), blob, `blob ${blob.digest} of ${medium.name}`);
  return await collect(stream, blob.size, `blob ${blob.digest}`);
}

async function unpacked(bytes: Buffer, limit: number): Promise<Buffer> {
  async function* once() {
    yield bytes;
  }
  return await collect(decompress(once(), { limit }), limit, 'the unpacked blob');
}

/** @throws TsbuildError; whoever calls it goes on without saved mounts then */
export async function fetchIndex(
  medium: CacheMedium,
  blob: Descriptor,
  options: TransferOptions,
): Promise<MountIndex> {
  if (blob.size > indexBytes) throw damaged('its index is too large');
  return decodeIndex(await fetchBytes(medium, blob, options));
}

/** @throws TsbuildError */
export async function fetchTree(
  medium: CacheMedium,
  blob: Descriptor,
  options: TransferOptions,
): Promise<MountTree> {
  return decodeTree(await unpacked(await fetchBytes(medium, blob, options), limits.treeBytes));
}

/** The unpacked bytes of a pack. @throws TsbuildError */
export async function fetchPack(
  medium: CacheMedium,
  pack: TreePack,
  options: TransferOptions,
): Promise<Buffer> {
  const plain = await unpacked(await fetchBytes(medium, pack, options), pack.length);
  if (plain.length !== pack.length) throw damaged('a pack has not the length it must have');
  return plain;
}
