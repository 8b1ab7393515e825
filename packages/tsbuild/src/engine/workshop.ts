/** What builds and containers work with: the store, the registries and an executor, opened and closed together. */
import type { Descriptor } from '@tsbuild/core';
import { type ContextSource, createExecutor, type Executor } from '@tsbuild/executor';
import { createBlobFetcher, parseReference, withDefaultTag } from '@tsbuild/registry';
import type { ImageOp } from '@tsbuild/solver';
import type { CacheSource, CallOptions, RegistryOptions } from '../api/types.js';
import { decompressStream } from '../export/compression.js';
import { fetchBlob, transferTo } from '../image/fetch.js';
import { connect, type Registries } from '../image/remote.js';
import { openLayout } from '../resolve/layout.js';
import { type CacheImports, openImports, unavailable } from '../remote-cache/imports.js';
import { sourceMedium } from '../remote-cache/media.js';
import { type Keys, noKeys } from '../remote-cache/signing-keys.js';
import { openStore, type Store } from '../store/open.js';
import { mountRestorer } from '../remote-cache/mounts/restore.js';
import type { WantedMount } from '../remote-cache/mounts/wanted.js';
import { protect } from '../store/protect.js';
import type { OperationContext } from './context.js';

export interface Workshop {
  store: Store;
  registries: Registries;
  executor: Executor;
  /** Told about each base image, so that its layers can be fetched later too. */
  learn(op: ImageOp): void;
  /** The caches of --cache-from. */
  imports: CacheImports;
  /** Of shared caches. */
  keys: Keys;
  /** Cache mounts that travel with those and with the caches of --cache-to. */
  mounts: readonly WantedMount[];
  /** Makes sure that a layer is in the store, from wherever this build's images and imported results come. */
  fetchLayer(blob: Descriptor, signal: AbortSignal, step?: string): Promise<void>;
  /** Said once each. */
  notice(message: string): void;
  close(): Promise<void>;
}

export interface WorkshopOptions extends Pick<CallOptions, 'root'>, RegistryOptions {
  contexts?: ReadonlyMap<string, ContextSource>;
  secret?(id: string): Promise<Buffer | undefined>;
  sshAgent?(id: string): string | undefined;
  snapshotter?: 'overlay' | 'copy';
  cacheFrom?: readonly CacheSource[];
  noStatCache?: boolean;
  /** Of shared caches. Default: nothing is signed, and anything taken. */
  keys?: Keys;
  mounts?: readonly WantedMount[];
}

export async function openWorkshop(options: WorkshopOptions, context: OperationContext): Promise<Workshop> {
  const { emit } = context;
  const { mounts = [] } = options;
  const said = new Set<string>();
  const notice = (message: string) => {
    if (said.has(message)) return;
    said.add(message);
    emit({ type: 'notice', message });
  };
  const store = await openStore({ root: options.root, warn: notice });
  const registries = connect(options);
  const lease = await protect(store);
  const fetcher = createBlobFetcher(store.content);
  /** The image each layer came with in this build. */
  const origins = new Map<string, ImageOp>();

  const fetchFrom = async (op: ImageOp, layer: Descriptor, id: string, signal: AbortSignal) => {
    if (op.origin.type === 'oci-layout') {
      if (await store.useBlob(layer.digest, layer.size)) return;
      const layout = await openLayout(op.origin.path);
      await store.content.put(layout.open(layer), { digest: layer.digest, size: layer.size }, signal);
      return;
    }
    const repository = await registries.repository(withDefaultTag(parseReference(op.reference)));
    await fetchBlob(store, fetcher, repository, layer, { signal, onTransfer: transferTo(emit, id) });
  };

  const imports = await openCaches(options, store, registries, context).catch(async (error: unknown) => {
    await registries.close();
    lease.release();
    throw error;
  });

  const fetchLayer = async (blob: Descriptor, signal: AbortSignal, id = 'export') => {
    if (await store.useBlob(blob.digest, blob.size)) return;
    const op = origins.get(blob.digest);
    if (op !== undefined && !imports.has(blob.digest)) {
      await fetchFrom(op, blob, id, signal);
      return;
    }
    try {
      const bytes = await imports.open(blob, { signal, onTransfer: transferTo(emit, id) });
      await store.content.put(bytes, { digest: blob.digest, size: blob.size }, signal);
    } catch (error) {
      signal.throwIfAborted();
      // The image has it, too, unless it is gone from its registry.
      if (op !== undefined) return await fetchFrom(op, blob, id, signal);
      imports.drop(blob.digest);
      throw unavailable(blob, error instanceof Error ? error.message : String(error), error);
    }
  };

  const executor = await createExecutor({
    root: store.root,
    contexts: options.contexts ?? new Map<string, ContextSource>(),
    async openLayer(op, layer, context) {
      await fetchFrom(op, layer, context.vertex.id, context.signal);
      return decompressStream(store.content.open(layer));
    },
    canOpenBlob: ({ digest }) => origins.has(digest) || imports.has(digest),
    async openBlob(blob, { vertex, signal }) {
      await fetchLayer(blob, signal, vertex.id);
      return decompressStream(store.content.open(blob));
    },
    discardDamaged: (blob, signal) => store.discardDamaged(blob, signal),
    knownContent: (key, ref) => imports.content(key, ref),
    fetchUrl: registries.fetchUrl,
    secret: options.secret ?? (async () => undefined),
    sshAgent: options.sshAgent ?? (() => undefined),
    ...(mounts.length === 0
      ? {}
      : {
          restoreCacheMount: mountRestorer({
            wanted: mounts,
            sources: async () => imports.found.map(({ medium, document: { blobs } }) => ({ medium, blobs })),
            emit,
            notice,
          }),
        }),
    notice,
    ...(options.snapshotter === undefined ? {} : { snapshotter: options.snapshotter }),
    noStatCache: options.noStatCache ?? false,
  }).catch(async (error: unknown) => {
    await registries.close();
    lease.release();
    throw error;
  });

  return {
    store,
    registries,
    executor,
    notice,
    learn(op) {
      for (const layer of op.layers) origins.set(layer.digest, op);
    },
    imports,
    keys: options.keys ?? noKeys,
    mounts,
    fetchLayer,
    async close() {
      try {
        await executor.close();
      } finally {
        await registries.close();
        lease.release();
      }
    },
  };
}

async function openCaches(
  { cacheFrom = [], keys = noKeys, insecureRegistries }: WorkshopOptions,
  store: Store,
  registries: Registries,
  context: OperationContext,
): Promise<CacheImports> {
  const around = { repositories: registries.repository, keys, insecureRegistries };
  const media = cacheFrom.map((source) => sourceMedium(source, around));
  return await openImports(media, store, context);
}
