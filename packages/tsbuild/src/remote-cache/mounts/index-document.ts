/** The document that lists a cache's saved mounts: JSON, read as if a stranger wrote it. */
import { type Descriptor, isDigest, type Digest } from '@tsbuild/core';
import { damaged } from './bytes.js';
import { mountsType, packTypes, treeTypes } from './media-types.js';
import { limits } from './tree.js';

export interface SavedMount {
  /** As `id=` of RUN --mount has it. */
  id: string;
  /** Digest of its key files, where it was saved under a key. */
  key?: Digest;
  /** RFC 3339. */
  created: string;
  /** Bytes of its files. */
  size: number;
  /** Files of all kinds. */
  files: number;
  tree: Descriptor;
  /** Those that the tree names. */
  packs: Descriptor[];
}

export interface MountIndex {
  mounts: SavedMount[];
}

/** Most bytes of the document. */
export const indexBytes = 32 * 1024 * 1024;
const mostMounts = 1000;
/** Saves of one mount that are kept: lock files of some branches, and the way back to the last ones. */
const savesKept = 5;

export function encodeIndex(index: MountIndex): Buffer {
  const mounts = index.mounts.map(({ id, key, created, size, files, tree, packs }) => ({
    id,
    ...(key === undefined ? {} : { key }),
    created,
    size,
    files,
    tree: plain(tree),
    packs: packs.map(plain),
  }));
  return Buffer.from(JSON.stringify({ mediaType: mountsType, mounts }));
}

function plain({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

/** @throws TsbuildError TSB_INTEGRITY_CACHE_MOUNT */
export function decodeIndex(bytes: Buffer): MountIndex {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw damaged('its index is no JSON');
  }
  const { mediaType, mounts } = record(value);
  if (mediaType !== mountsType || !Array.isArray(mounts) || mounts.length > mostMounts) {
    throw damaged('its index is not one that this tsbuild can read');
  }
  return { mounts: mounts.map(decodeMount) };
}

function decodeMount(value: unknown): SavedMount {
  const { id, key, created, size, files, tree, packs } = record(value);
  const fits =
    typeof id === 'string' &&
    (key === undefined || isDigest(key)) &&
    typeof created === 'string' &&
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(created) &&
    isCount(size) &&
    isCount(files) &&
    Array.isArray(packs) &&
    packs.length <= limits.packs;
  if (!fits) throw damaged('its index has an entry that is none');
  return {
    id,
    ...(key === undefined ? {} : { key }),
    created,
    size,
    files,
    tree: decodeBlob(tree, treeTypes, limits.treeBytes),
    packs: packs.map((pack) => decodeBlob(pack, packTypes, limits.packBytes)),
  };
}

function decodeBlob(value: unknown, allowed: readonly string[], most: number): Descriptor {
  const { mediaType, digest, size } = record(value);
  if (typeof mediaType === 'string' && allowed.includes(mediaType) && isDigest(digest) && isCount(size)) {
    if (size <= most) return { mediaType, digest, size };
    throw damaged('its index names a blob that is too large');
  }
  throw damaged('its index names a blob of no known kind');
}

function record(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw damaged('its index has an entry that is none');
  return value as Record<string, unknown>;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** The index with one more save: it replaces the one under the same key, and the oldest beyond five are dropped. */
export function withSaved(index: MountIndex, saved: SavedMount): MountIndex {
  const others = index.mounts.filter(({ id }) => id !== saved.id);
  const own = index.mounts.filter(({ id, key }) => id === saved.id && key !== saved.key);
  const kept = [saved, ...own.sort(newestFirst)].slice(0, savesKept);
  return { mounts: [...others, ...kept].sort(byName) };
}

export function newestFirst(a: SavedMount, b: SavedMount): number {
  return Date.parse(b.created) - Date.parse(a.created);
}

function byName(a: SavedMount, b: SavedMount): number {
  if (a.id !== b.id) return a.id < b.id ? -1 : 1;
  return newestFirst(a, b);
}

/** All blobs an index names, each once. */
export function blobsOf({ mounts }: MountIndex): Descriptor[] {
  const blobs = mounts.flatMap(({ tree, packs }) => [tree, ...packs]);
  return [...new Map(blobs.map((blob) => [blob.digest, blob])).values()];
}
