/**
 * Which packs of earlier saves go on being used. A pack is only used whole, so one that is mostly dead costs those who
 * restore more than it saves; and many small ones cost a request each.
 */
import type { Digest } from '@tsbuild/core';
import type { MountTree, TreePack } from './tree.js';

export interface Place {
  pack: TreePack;
  offset: number;
  length: number;
}

/** Bytes of content that a pack is filled with. */
export const packTarget = 8 * 1024 * 1024;
const smallPack = packTarget / 4;
/** Small packs that are taken over; when there are more, they all are written anew, as few. */
const smallPacksKept = 16;

/**
 * Where content that is needed lies already.
 * @param needed digests with their lengths
 * @param trees of earlier saves, the newest first
 * @param isThere whether the medium still has a pack
 */
export async function placesOf(
  needed: ReadonlyMap<Digest, number>,
  trees: readonly Pick<MountTree, 'packs' | 'chunks'>[],
  isThere: (pack: TreePack) => Promise<boolean>,
): Promise<Map<Digest, Place>> {
  const taken = new Set<Digest>();
  const candidates: { pack: TreePack; places: Map<Digest, Place> }[] = [];
  for (const { pack, places } of packsOf(trees)) {
    const own = new Map([...places].filter(([digest, { length }]) => needed.get(digest) === length));
    for (const digest of own.keys()) if (taken.has(digest)) own.delete(digest);
    let live = 0;
    for (const { length } of own.values()) live += length;
    if (own.size === 0 || live * 2 < pack.length) continue;
    for (const digest of own.keys()) taken.add(digest);
    candidates.push({ pack, places: own });
  }
  const small = candidates.filter(({ pack }) => pack.length < smallPack);
  const kept = small.length <= smallPacksKept ? candidates : candidates.filter((one) => !small.includes(one));
  const there = await Promise.all(kept.map(({ pack }) => isThere(pack)));
  const found = new Map<Digest, Place>();
  kept.forEach(({ places }, index) => {
    if (there[index]) for (const [digest, place] of places) found.set(digest, place);
  });
  return found;
}

/** Every pack once, with all the content that some tree knows to be in it. */
function packsOf(
  trees: readonly Pick<MountTree, 'packs' | 'chunks'>[],
): { pack: TreePack; places: Map<Digest, Place> }[] {
  const all = new Map<Digest, { pack: TreePack; places: Map<Digest, Place> }>();
  for (const { packs, chunks } of trees) {
    for (const pack of packs) {
      if (!all.has(pack.digest)) all.set(pack.digest, { pack, places: new Map() });
    }
    for (const { digest, pack: index, offset, length } of chunks) {
      const pack = packs[index];
      const known = pack && all.get(pack.digest);
      if (known !== undefined) known.places.set(digest, { pack: known.pack, offset, length });
    }
  }
  return [...all.values()];
}
