/** The cache mounts that the user named, from the store into a shared cache: only what it has not got yet. */
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type { Descriptor, EventSink } from '@tsbuild/core';
import { readCache } from '@tsbuild/executor';
import type { TransferOptions } from '@tsbuild/registry';
import { withStep } from '../../engine/step.js';
import { transferTo } from '../../image/fetch.js';
import { temporaryFolder } from '../../store/temporary.js';
import type { CacheMedium } from '../medium.js';
import { fetchIndex, fetchTree } from './fetch.js';
import {
  blobsOf,
  encodeIndex,
  type MountIndex,
  newestFirst,
  type SavedMount,
  withSaved,
} from './index-document.js';
import { isMountBlob, mountsType, treeType } from './media-types.js';
import { packed, packWriter } from './packs.js';
import { packMount } from './pack-mount.js';
import { ChangedMeanwhile, digestOf } from './scan.js';
import type { MountTree } from './tree.js';
import { encodeTree } from './tree-codec.js';
import { type Presence, presenceIn, uploadsTo } from './uploads.js';
import { messageOf, warn } from './warn.js';
import type { WantedMount } from './wanted.js';

export interface SaveOptions {
  /** Folder of the store. */
  root: string;
  wanted: readonly WantedMount[];
  medium: CacheMedium;
  /** Blobs of the document that the medium has under the cache's name; what it lists of other mounts is kept. */
  previous: readonly Descriptor[];
  emit: EventSink;
  signal: AbortSignal;
}

/** Milliseconds to wait for a step of another build that has the mount for itself. */
const patience = 10_000;
/** A mount that others write to while it is read is read again. */
const attempts = 3;

/**
 * Puts the mounts' blobs. What fails is a warning and left out; only an abort throws.
 * @returns the blobs that the cache's document has to list
 */
export async function saveMounts(options: SaveOptions): Promise<Descriptor[]> {
  const { wanted, previous, emit, signal, medium } = options;
  const kept = previous.filter(isMountBlob);
  if (wanted.length === 0 && kept.length === 0) return [];
  const presence = presenceIn(medium, { signal });
  try {
    const before = await readIndex(options);
    let index = before;
    for (const mount of wanted) {
      try {
        index = await saveMount(mount, index, { ...options, presence });
      } catch (error) {
        signal.throwIfAborted();
        warn(emit, `cache mount ${mount.name}: not saved to ${medium.name}: ${messageOf(error)}`);
      }
    }
    index = await withoutLost(index, presence, options);
    if (index === before) return kept;
    const bytes = encodeIndex(index);
    const document = { mediaType: mountsType, digest: digestOf(bytes), size: bytes.length };
    await medium.put(document, () => once(bytes), { signal });
    return [document, ...blobsOf(index)];
  } catch (error) {
    signal.throwIfAborted();
    warn(emit, `cache mounts: not saved to ${medium.name}: ${messageOf(error)}`);
    return kept;
  }
}

async function readIndex({ medium, previous, signal, emit }: SaveOptions): Promise<MountIndex> {
  const blob = previous.find(({ mediaType }) => mediaType === mountsType);
  if (blob === undefined) return { mounts: [] };
  try {
    return await fetchIndex(medium, blob, { signal });
  } catch (error) {
    signal.throwIfAborted();
    warn(emit, `cache mounts: those of ${medium.name} cannot be read and are replaced: ${messageOf(error)}`);
    return { mounts: [] };
  }
}

/** @returns the index with the save, or the same one where there is nothing to save */
async function saveMount(
  wanted: WantedMount,
  index: MountIndex,
  options: SaveOptions & { presence: Presence },
): Promise<MountIndex> {
  const { name, id, key } = wanted;
  const own = index.mounts.filter((saved) => saved.id === id).sort(newestFirst);
  const same = own.find((saved) => saved.key === key);
  if (key !== undefined && same !== undefined) return index;
  const held = await readCache(join(options.root, 'mounts'), id, patience, options.signal);
  if (held === undefined) return index;
  if (held === 'taken') throw new Error('another build has it for itself');
  try {
    const step = {
      id: `internal:save-mount:${options.medium.name}:${id}`,
      name: `[internal] save cache mount ${name}`,
    };
    return await withStep(options.emit, { ...step, signal: options.signal }, async (vertex) => {
      const transfer = { signal: options.signal, onTransfer: transferTo(options.emit, vertex) };
      const saved = await store(wanted, held, own, { ...options, transfer });
      return saved.tree.digest === same?.tree.digest ? index : withSaved(index, saved);
    });
  } finally {
    held.release();
  }
}

type StoreOptions = SaveOptions & { presence: Presence; transfer: TransferOptions };

async function store(
  { id, key, maxBytes }: WantedMount,
  held: { path: string; release(): void },
  own: readonly SavedMount[],
  options: StoreOptions,
): Promise<SavedMount> {
  const { medium, presence, transfer, signal } = options;
  const trees = await earlierTrees(own, options);
  const temporary = temporaryFolder(options.root);
  const uploads = uploadsTo(medium, presence, transfer);
  try {
    const folder = await temporary.path();
    const { tree, bytes } = await repeated(async () => {
      const writer = packWriter(await mkdtemp(join(folder, 'packs-')), uploads.start);
      return await packMount(held.path, { maxBytes, trees, isThere: presence.has, writer, signal });
    });
    // Nothing of the mount is read any more: steps of other builds can have it.
    held.release();
    const blob = await packed(encodeTree(tree));
    const descriptor = { mediaType: treeType, digest: digestOf(blob), size: blob.length };
    await uploads.finish();
    await medium.put(descriptor, () => once(blob), transfer);
    presence.note(descriptor);
    return {
      id,
      ...(key === undefined ? {} : { key }),
      created: new Date().toISOString(),
      size: bytes,
      files: tree.nodes.length - 1,
      tree: descriptor,
      packs: tree.packs.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
    };
  } finally {
    await uploads.abandon();
    await temporary.close();
  }
}

/** The trees whose packs can be used again; one that cannot be read is no reason not to save. */
async function earlierTrees(
  own: readonly SavedMount[],
  { medium, signal }: SaveOptions,
): Promise<Pick<MountTree, 'packs' | 'chunks'>[]> {
  const trees: Pick<MountTree, 'packs' | 'chunks'>[] = [];
  for (const { tree } of own) {
    try {
      const { packs, chunks } = await fetchTree(medium, tree, { signal });
      trees.push({ packs, chunks });
    } catch {
      signal.throwIfAborted();
    }
  }
  return trees;
}

async function repeated<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ChangedMeanwhile)) throw error;
      if (attempt === attempts) throw new Error('its files changed while they were read', { cause: error });
    }
  }
}

/** Without saves whose blobs the medium has lost: a document that names what is not there would be refused. */
async function withoutLost(
  index: MountIndex,
  presence: Presence,
  { medium, emit }: SaveOptions,
): Promise<MountIndex> {
  const blobs = blobsOf(index);
  const there = await Promise.all(blobs.map((blob) => presence.has(blob)));
  const lost = new Set(blobs.filter((_, at) => !there[at]).map(({ digest }) => digest));
  if (lost.size === 0) return index;
  warn(emit, `cache mounts: ${medium.name} has lost blobs of earlier saves, which are left out`);
  const isWhole = ({ tree, packs }: SavedMount) => [tree, ...packs].every(({ digest }) => !lost.has(digest));
  return { mounts: index.mounts.filter(isWhole) };
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}
