/** A cache mount's folder to a tree and packs: content that earlier saves have is found there, the rest is packed. */
import type { Digest } from '@tsbuild/core';
import * as native from '@tsbuild/native';
import type { PackWriter } from './packs.js';
import { type Place, placesOf } from './reuse.js';
import { ChangedMeanwhile, digestOf, readPieces, type Scan, scanMount } from './scan.js';
import { type Chunk, type MountTree, pieceLength, type TreePack } from './tree.js';

export interface PackMountOptions {
  /** Most bytes of content that are allowed. */
  maxBytes: number;
  /** Of earlier saves, the newest first. */
  trees: readonly Pick<MountTree, 'packs' | 'chunks'>[];
  isThere(pack: TreePack): Promise<boolean>;
  writer: PackWriter;
  signal: AbortSignal;
}

/** @throws TsbuildError TSB_STORE_CACHE_MOUNT; ChangedMeanwhile where someone writes to the mount */
export async function packMount(
  path: string,
  { maxBytes, trees, isThere, writer, signal }: PackMountOptions,
): Promise<{ tree: MountTree; bytes: number }> {
  const { O_RDONLY, O_DIRECTORY } = native.constants;
  const root = native.openat2(native.AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, 0);
  try {
    const scan = await scanMount(root, maxBytes, signal);
    const places = await placesOf(neededBy(scan), trees, isThere);
    return { tree: await assemble(root, scan, places, writer, signal), bytes: scan.bytes };
  } finally {
    native.close(root);
  }
}

function neededBy({ files }: Scan): Map<Digest, number> {
  const needed = new Map<Digest, number>();
  for (const { node, digests } of files) {
    digests.forEach((digest, piece) => {
      if (digest !== undefined) needed.set(digest, pieceLength(node.size, piece));
    });
  }
  return needed;
}

/** Fills in where each piece of content lies: in an earlier pack, else in a new one. */
async function assemble(
  root: native.Fd,
  { nodes, files }: Scan,
  places: ReadonlyMap<Digest, Place>,
  writer: PackWriter,
  signal: AbortSignal,
): Promise<MountTree> {
  const chunks: Chunk[] = [];
  const packs: TreePack[] = [];
  const known = new Map<Digest, number>();
  const packIndex = new Map<TreePack, number>();

  const note = (digest: Digest, { pack, offset, length }: Place): void => {
    const index = packIndex.get(pack) ?? packs.push(pack) - 1;
    packIndex.set(pack, index);
    known.set(digest, chunks.push({ digest, pack: index, offset, length }) - 1);
  };
  for (const file of files) {
    const { digests } = file;
    for (const digest of digests) {
      const place = digest === undefined || known.has(digest) ? undefined : places.get(digest);
      if (digest !== undefined && place !== undefined) note(digest, place);
    }
    const isNew = (piece: number) => {
      const digest = digests[piece];
      return digest !== undefined && !known.has(digest);
    };
    if (digests.some((_, piece) => isNew(piece))) {
      for (const { piece, data } of readPieces(root, file, isNew)) {
        const digest = digestOf(data);
        if (digest !== digests[piece]) throw new ChangedMeanwhile();
        note(digest, await writer.add(data));
        signal.throwIfAborted();
      }
    }
    file.node.pieces = digests.map((digest) => (digest === undefined ? undefined : known.get(digest)));
  }
  await writer.finish();
  return { packs, chunks, nodes };
}
