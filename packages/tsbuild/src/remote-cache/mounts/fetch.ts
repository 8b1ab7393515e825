/** Blobs of saved mounts out of a medium: whole, verified, unpacked, and no larger than they may be. */
import type { Descriptor } from '@tsbuild/core';
import { type ByteStream, collect, decompress, verified, type TransferOptions } from '@tsbuild/registry';
import type { CacheMedium } from '../medium.js';
import { damaged } from './bytes.js';
import { decodeIndex, indexBytes, type MountIndex } from './index-document.js';
import { limits, type MountTree, type TreePack } from './tree.js';
import { decodeTree } from './tree-codec.js';

/** Its digest and size are checked before the stream ends. */
async function openBlob(
  medium: CacheMedium,
  blob: Descriptor,
  options: TransferOptions,
): Promise<ByteStream> {
  return verified(await medium.open(blob, options), blob, `blob ${blob.digest} of ${medium.name}`);
}

/** @throws TsbuildError; whoever calls it goes on without saved mounts then */
export async function fetchIndex(
  medium: CacheMedium,
  blob: Descriptor,
  options: TransferOptions,
): Promise<MountIndex> {
  if (blob.size > indexBytes) throw damaged('its index is too large');
  return decodeIndex(await collect(await openBlob(medium, blob, options), blob.size, 'the index'));
}

/** @throws TsbuildError */
export async function fetchTree(
  medium: CacheMedium,
  blob: Descriptor,
  options: TransferOptions,
): Promise<MountTree> {
  const limit = limits.treeBytes;
  const plain = decompress(await openBlob(medium, blob, options), { limit });
  return decodeTree(await collect(plain, limit, 'the tree'));
}

/**
 * Unpacks a pack into memory that the caller gives, for packs come one after another.
 * @param space at least of the pack's length
 * @returns the part of `space` that was filled
 * @throws TsbuildError
 */
export async function fetchPack(
  medium: CacheMedium,
  pack: TreePack,
  space: Buffer,
  options: TransferOptions,
): Promise<Buffer> {
  let end = 0;
  for await (const part of decompress(await openBlob(medium, pack, options), { limit: pack.length })) {
    space.set(part, end);
    end += part.length;
  }
  if (end !== pack.length) throw damaged('a pack has not the length it must have');
  return space.subarray(0, end);
}
