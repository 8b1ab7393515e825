/**
 * The caches named by --cache-from, as one more place to look for results. What they say is believed on the user's word
 * only: results from them, and results made from those, are marked with the cache's name and count in no build that
 * does not name it (docs/caching.md, "Shared caches"). Any failure is a warning and a miss.
 */
import { type Descriptor, type Digest, sha256, TsbuildError } from '@tsbuild/core';
import { collect, type ByteStream, type TransferOptions } from '@tsbuild/registry';
import type { CacheRecord, CacheStore, LayerRef, Ref } from '@tsbuild/solver';
import type { OperationContext } from '../engine/context.js';
import { withStep } from '../engine/step.js';
import type { Store } from '../store/open.js';
import { type BuildkitCache, buildkitCaches, type BuildkitFinder } from './buildkit-import.js';
import { type CacheIndex, indexLimit, indexMediaType, readCacheIndex } from './cache-index.js';
import { isInline } from './inline.js';
import { unusable } from './manifest.js';
import type { CacheDocument, CacheMedium } from './medium.js';

/** A cache that was found. */
export interface ImportedCache {
  medium: CacheMedium;
  document: CacheDocument;
  indexes: readonly CacheIndex[];
  /** What BuildKit wrote; none where tsbuild's own index is there. */
  buildkit: readonly BuildkitCache[];
  /** Blobs of its layers. */
  blobs: ReadonlyMap<Digest, Descriptor>;
}

export interface CacheImports {
  /** Names of the caches that the user named, found or not. */
  readonly names: ReadonlySet<string>;
  readonly found: readonly ImportedCache[];
  record(key: Digest): CacheRecord | undefined;
  content(key: Digest, ref: Ref): Digest | undefined;
  has(blob: Digest): boolean;
  /** Bytes of a layer's blob, not verified. @throws TsbuildError TSB_CACHE_UNAVAILABLE when no cache gives it */
  open(blob: Descriptor, options: TransferOptions): Promise<ByteStream>;
  /** After a blob could not be had: the caches that named it are not used any more. */
  drop(blob: Digest): void;
}

/** Asks all caches at the same time, each shown as a step. */
export async function openImports(
  media: readonly CacheMedium[],
  store: Store,
  { emit, signal }: OperationContext,
): Promise<CacheImports> {
  const warn = (message: string) => emit({ type: 'warning', rule: 'CacheImport', message });
  const asked = await Promise.all(
    media.map(async (medium, at) => {
      const step = { id: `internal:cache-import:${at}`, name: `importing cache from ${medium.name}`, signal };
      try {
        return await withStep(emit, step, () => openImport(medium, store, signal));
      } catch (error) {
        signal.throwIfAborted();
        warn(`the cache ${medium.name} is not used: ${messageOf(error)}`);
        return undefined;
      }
    }),
  );
  let found = asked.filter((cache) => cache !== undefined);
  return {
    names: new Set(media.map(({ name }) => name)),
    get found() {
      return found;
    },
    record(key) {
      for (const { medium, indexes } of found) {
        for (const index of indexes) {
          const record = index.record(key, medium.name);
          if (record !== undefined) return record;
        }
      }
      return undefined;
    },
    content(key, ref) {
      for (const index of found.flatMap(({ indexes }) => indexes)) {
        const digest = index.content(key);
        if (digest !== undefined) return digest;
      }
      const { imported = [], blob } = ref.layers.at(-1) ?? {};
      const isBuildkits = found.some(
        ({ medium, buildkit }) => buildkit.length > 0 && imported.includes(medium.name),
      );
      // BuildKit's cache has no digest of content that could enter a key. Which layers the content comes from tells it,
      // too; so no file is fetched only to find out that a step which reads it needs none.
      return blob !== undefined && isBuildkits ? sha256(`content of layers ${key}`) : undefined;
    },
    has: (blob) => found.some(({ blobs }) => blobs.has(blob)),
    async open(blob, options) {
      const failures: string[] = [];
      for (const { medium, blobs } of found) {
        if (!blobs.has(blob.digest)) continue;
        try {
          return await medium.open(blob, options);
        } catch (error) {
          options.signal.throwIfAborted();
          failures.push(messageOf(error));
        }
      }
      throw unavailable(blob, failures.join('; '));
    },
    drop(blob) {
      for (const { medium } of found.filter(({ blobs }) => blobs.has(blob)))
        warn(`the cache ${medium.name} lacks a layer that it names, ${blob}: it is not used any more`);
      found = found.filter(({ blobs }) => !blobs.has(blob));
    },
  };
}

/** A layer that a cache named and does not give. */
export function unavailable(blob: Descriptor, why: string, cause?: unknown): TsbuildError {
  return new TsbuildError(
    'TSB_CACHE_UNAVAILABLE',
    `layer ${blob.digest} of the cache cannot be had: ${why}`,
    {
      hint: 'Write the cache again with --cache-to, or leave --cache-from out.',
      ...(cause === undefined ? {} : { cause }),
    },
  );
}

async function openImport(
  medium: CacheMedium,
  store: Store,
  signal: AbortSignal,
): Promise<ImportedCache | undefined> {
  const document = await medium.load(signal);
  if (document === undefined) return undefined;
  const indexes = isInline(document)
    ? document.inline.flatMap(({ index, layers }) =>
        index === undefined ? [] : readCacheIndex(index, (diffId) => layers.get(diffId)),
      )
    : await readIndexes(medium, document, store, signal);
  const buildkit = indexes.length > 0 ? [] : buildkitCaches(document);
  const blobs = new Map<Digest, Descriptor>();
  for (const index of indexes) for (const blob of index.blobs()) blobs.set(blob.digest, blob);
  for (const { layers } of buildkit) for (const { blob } of layers.values()) blobs.set(blob.digest, blob);
  return { medium, document, indexes, buildkit, blobs };
}

/** The document is kept in the store's content, so that the next build with the same cache does not fetch it. */
async function readIndexes(
  medium: CacheMedium,
  { blobs }: CacheDocument,
  store: Store,
  signal: AbortSignal,
): Promise<CacheIndex[]> {
  const found: CacheIndex[] = [];
  for (const blob of blobs.filter(({ mediaType }) => mediaType === indexMediaType)) {
    if (blob.size > indexLimit) throw unusable(medium.name, 'its index is too large');
    if (!(await store.useBlob(blob.digest, blob.size))) {
      await store.content.put(
        await medium.open(blob, { signal }),
        { digest: blob.digest, size: blob.size },
        signal,
      );
    }
    const bytes = await collect(store.content.open(blob), indexLimit, `index of ${medium.name}`);
    found.push(readCacheIndex(bytes));
  }
  return found;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The store's index with the imported caches behind it. Results that came from caches which are not named here don't count. */
export function withImports(steps: CacheStore, imports: CacheImports, finder: BuildkitFinder): CacheStore {
  const isTrusted = ({ imported = [] }: LayerRef) => imported.every((name) => imports.names.has(name));
  const find: CacheStore['find'] = async ({ id, name: description }, known) => {
    for (const { medium, buildkit } of imports.found) {
      for (const cache of buildkit) {
        const result = await finder.find(cache, medium.name, id, known);
        if (result !== undefined) return { ...result, description };
      }
    }
    return undefined;
  };
  return {
    async get(key) {
      const known = await steps.get(key);
      if (known?.ref.layers.every(isTrusted) === true) return known;
      return imports.record(key);
    },
    // Only where there is something to find: a solver that can ask does so before it makes a stage.
    ...(imports.found.some(({ buildkit }) => buildkit.length > 0) ? { find } : {}),
    put: (record) => steps.put(record),
    lock: (key, signal) => steps.lock(key, signal),
  };
}
