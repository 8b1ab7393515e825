/** Images from a registry into a content store. */
import pLimit from 'p-limit';
import { TsbuildError, type Descriptor, type Digest, type Platform } from '@tsbuild/core';
import type { ContentStore, ImageContent, RemoteRepository, TransferOptions } from '../api.js';
import { untilAborted } from '../http/abort.js';
import { readRemoteBlob } from '../remote/repository.js';
import { decodeConfig, decodeIndex, decodeManifest, isIndexType } from './decode.js';
import { maximumDepth } from './load.js';
import { chooseManifest } from './platform.js';

const configLimit = 8 << 20;
const parallelDownloads = 6;

/** Brings blobs into a store: each once however many ask, a bounded number at a time. */
export interface BlobFetcher {
  /** Resolves when the store has the blob. */
  fetch(repository: RemoteRepository, descriptor: Descriptor, options: TransferOptions): Promise<void>;
}

export function createBlobFetcher(store: ContentStore, options: { concurrency?: number } = {}): BlobFetcher {
  const limit = pLimit(options.concurrency ?? parallelDownloads);
  const running = new Map<Digest, Promise<void>>();

  async function download(
    repository: RemoteRepository,
    descriptor: Descriptor,
    transfer: TransferOptions,
  ): Promise<void> {
    transfer.signal.throwIfAborted();
    if ((await store.has(descriptor.digest)) === descriptor.size) {
      transfer.onTransfer?.({
        item: descriptor.digest,
        action: 'exists',
        current: descriptor.size,
        total: descriptor.size,
      });
      return;
    }
    const bytes = await repository.blob(descriptor, { ...transfer, unverified: true });
    await store.put(bytes, descriptor, transfer.signal);
  }

  async function fetch(
    repository: RemoteRepository,
    descriptor: Descriptor,
    transfer: TransferOptions,
  ): Promise<void> {
    const shared = running.get(descriptor.digest);
    if (shared !== undefined) {
      try {
        return await untilAborted(shared, transfer.signal);
      } catch (error) {
        transfer.signal.throwIfAborted();
        // The other's abort, or its registry's trouble, is not ours.
        return fetch(repository, descriptor, transfer).catch(() => {
          throw error;
        });
      }
    }
    const mine = limit(() => download(repository, descriptor, transfer)).finally(() =>
      running.delete(descriptor.digest),
    );
    running.set(descriptor.digest, mine);
    return mine;
  }

  return { fetch };
}

/** An image whose manifest and config are in the store; its layers may not be. */
export interface ResolvedManifest extends ImageContent {
  /** What the name points at: the index, or the manifest itself. */
  root: Descriptor;
}

export interface ResolveOptions extends TransferOptions {
  platform: Platform;
  /** For messages: the image as the user wrote it. */
  name: string;
}

/**
 * Finds the image for a platform and puts index, manifest and config into the store. Documents that the store has are
 * not fetched again (the name itself is always asked for).
 * @param reference tag or digest (see apiReference)
 * @throws TsbuildError TSB_RESOLVE_NOT_FOUND, TSB_RESOLVE_NO_PLATFORM, TSB_AUTH_*, TSB_REGISTRY_*, TSB_INTEGRITY_*
 */
export async function resolveManifest(
  repository: RemoteRepository,
  reference: string,
  store: ContentStore,
  options: ResolveOptions,
): Promise<ResolvedManifest> {
  const root = await repository.resolve(reference, options);
  let descriptor = root;
  let bytes = await document(repository, root, store, options);
  for (let depth = 0; isIndexType(descriptor.mediaType); depth += 1) {
    if (depth > maximumDepth) {
      throw new TsbuildError(
        'TSB_INTEGRITY_BAD_DOCUMENT',
        `${options.name}: indexes are nested deeper than ${maximumDepth}`,
      );
    }
    descriptor = chooseManifest(decodeIndex(bytes, options.name), options.platform, options.name);
    bytes = await document(repository, descriptor, store, options);
  }
  const manifest = decodeManifest(bytes, options.name);
  const configBytes = await configOf(repository, manifest.config, store, options);
  const config = decodeConfig(configBytes, `config of ${options.name}`);
  return { root, descriptor, manifest, manifestBytes: bytes, config, configBytes };
}

/**
 * All of an image: every platform's where none is named.
 * @returns what is whole in the store, to be tagged: the image for the platform, or what the name points at
 */
export async function pullImage(
  repository: RemoteRepository,
  reference: string,
  store: ContentStore,
  options: TransferOptions & { name: string; platform?: Platform; fetcher?: BlobFetcher },
): Promise<Descriptor> {
  const fetcher = options.fetcher ?? createBlobFetcher(store);
  const { platform } = options;
  if (platform !== undefined) {
    const image = await resolveManifest(repository, reference, store, { ...options, platform });
    await pullLayers(repository, image, fetcher, options);
    return image.descriptor;
  }
  const root = await repository.resolve(reference, options);
  await pullTree(repository, root, store, fetcher, options, 0);
  return root;
}

/** The layers of one image, in parallel; when one fails the others are stopped. */
export async function pullLayers(
  repository: RemoteRepository,
  image: Pick<ImageContent, 'manifest'>,
  fetcher: BlobFetcher,
  options: TransferOptions,
): Promise<void> {
  await allOrStop(options, image.manifest.layers, (layer, transfer) =>
    fetcher.fetch(repository, layer, transfer),
  );
}

async function pullTree(
  repository: RemoteRepository,
  descriptor: Descriptor,
  store: ContentStore,
  fetcher: BlobFetcher,
  options: TransferOptions & { name: string },
  depth: number,
): Promise<void> {
  const bytes = await document(repository, descriptor, store, options);
  if (!isIndexType(descriptor.mediaType)) {
    const manifest = decodeManifest(bytes, options.name);
    await fetcher.fetch(repository, manifest.config, options);
    await pullLayers(repository, { manifest }, fetcher, options);
    return;
  }
  if (depth > maximumDepth) {
    throw new TsbuildError(
      'TSB_INTEGRITY_BAD_DOCUMENT',
      `${options.name}: indexes are nested deeper than ${maximumDepth}`,
    );
  }
  await allOrStop(options, decodeIndex(bytes, options.name).manifests, (child, transfer) =>
    pullTree(repository, child, store, fetcher, { ...options, ...transfer }, depth + 1),
  );
}

/** Runs work on all items; the first failure aborts the rest, and is thrown when all have ended. */
export async function allOrStop<T>(
  options: TransferOptions,
  items: readonly T[],
  work: (item: T, transfer: TransferOptions) => Promise<unknown>,
): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  let first: { error: unknown } | undefined;
  await Promise.all(
    items.map(async (item) => {
      try {
        await work(item, { ...options, signal });
      } catch (error) {
        first ??= { error };
        stop.abort(new Error('another transfer of the same image failed'));
      }
    }),
  );
  if (first !== undefined) throw first.error;
}

async function document(
  repository: RemoteRepository,
  descriptor: Descriptor,
  store: ContentStore,
  options: TransferOptions,
): Promise<Buffer> {
  if ((await store.has(descriptor.digest)) === descriptor.size) {
    const known = await store.read(descriptor).catch(() => undefined);
    if (known !== undefined) return known;
    await store.remove(descriptor.digest);
  }
  const { bytes } = await repository.manifest(descriptor.digest, options);
  await store.putBytes(bytes);
  return bytes;
}

async function configOf(
  repository: RemoteRepository,
  descriptor: Descriptor,
  store: ContentStore,
  options: TransferOptions,
): Promise<Buffer> {
  if ((await store.has(descriptor.digest)) === descriptor.size) {
    const known = await store.read(descriptor).catch(() => undefined);
    if (known !== undefined) return known;
    await store.remove(descriptor.digest);
  }
  const bytes = await readRemoteBlob(repository, descriptor, configLimit, options);
  await store.putBytes(bytes);
  return bytes;
}
