/** Writes the caches of --cache-to. */
import type { BuildPlan, Ref, Vertex, VertexId } from '@tsbuild/solver';
import pLimit from 'p-limit';
import type { Descriptor, Digest } from '@tsbuild/core';
import type { BuildOptions, CacheTarget } from '../api/types.js';
import type { SolvedImage } from '../export/image.js';
import { createLayerPacker, type LayerEncoding, type LayerPacker, layerWork } from '../export/layers.js';
import { mountSources } from '../export/mount-sources.js';
import { transferTo } from '../image/fetch.js';
import { encodeBuildkitConfig } from '../remote-cache/buildkit-config.js';
import { buildkitConfigOf } from '../remote-cache/buildkit-export.js';
import { distinctSteps, exportCache, layerBlob, stepsToExport } from '../remote-cache/export.js';
import { saveMounts } from '../remote-cache/mounts/save.js';
import { verifyDocument } from '../remote-cache/signature.js';
import { targetMedium } from '../remote-cache/media.js';
import type { CacheMedium } from '../remote-cache/medium.js';
import type { OperationContext } from './context.js';
import { withStep } from './step.js';
import type { Workshop } from './workshop.js';

/** Layers that are packed and sent at the same time while steps run. */
const parallelEarly = 2;

/** In BuildKit's words. */
const placeNames = { registry: 'registry', local: 'client directory', s3: 'Amazon S3' };

type StoredTarget = Exclude<CacheTarget, { type: 'inline' }>;

/** The caches of --cache-to of one build: layers are sent while it still runs, the documents at its end. */
export interface CacheExports {
  /** A step has a new result: its layer is sent to the caches that will hold it. */
  made(vertex: Vertex, ref: Ref): void;
  /** Writes the caches, each shown as a step. @throws TsbuildError unless the cache's errors are to be ignored */
  finish(images: readonly SolvedImage[]): Promise<void>;
  /** Stops what is being sent. To be called in any case. */
  close(): Promise<void>;
}

/** @throws TsbuildError TSB_USAGE_* for a cache that cannot be */
export function openCacheExports(
  plans: readonly BuildPlan[],
  {
    cacheFrom,
    cacheTo = [],
    insecureRegistries,
  }: Pick<BuildOptions, 'cacheFrom' | 'cacheTo' | 'insecureRegistries'>,
  workshop: Workshop,
  context: OperationContext,
): CacheExports {
  const { store, executor, fetchLayer } = workshop;
  const packer = createLayerPacker({ store, executor, fetchBlob: fetchLayer });
  const images = plans.map((plan) => ({ plan }));
  const inResult = new Set(plans.flatMap((plan) => [...resultChain(plan)]));
  const exports = cacheTo
    .filter((target) => target.type !== 'inline')
    .map((target) => {
      const medium = targetMedium(target, {
        repositories: workshop.registries.repository,
        insecureRegistries,
        keys: workshop.keys,
        mountFrom: (registry) => mountSources(images, registry, cacheFrom),
      });
      return { target, medium };
    });
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const limit = pLimit(parallelEarly);
  const sending = new Set<Promise<void>>();

  const send = async (medium: CacheMedium, target: StoredTarget, ref: Ref) => {
    signal.throwIfAborted();
    const silent = { signal, progress: () => {} };
    const blob = await packer.blob(ref, ref.layers.length - 1, cacheEncoding(target), silent);
    await medium.put(blob, () => store.content.open(blob), { signal });
  };

  return {
    made({ id }, ref) {
      if (ref.layers.length === 0) return;
      for (const { medium, target } of exports) {
        if (target.mode !== 'max' && !inResult.has(id)) continue;
        // What fails is tried again at the end, and reported then.
        const sent = limit(() => send(medium, target, ref)).catch(() => {});
        sending.add(sent);
      }
    },
    async finish(solved) {
      await Promise.all(sending);
      for (const [at, { target, medium }] of exports.entries()) {
        try {
          await exportTo(medium, target, `export:cache:${at}`, solved, packer, workshop, context);
        } catch (error) {
          if (target.ignoreError !== true) throw error;
          context.signal.throwIfAborted();
          const why = error instanceof Error ? error.message : String(error);
          const message = `the cache ${medium.name} was not written: ${why}`;
          context.emit({ type: 'warning', rule: 'CacheExport', message });
        }
      }
    },
    async close() {
      stop.abort();
      await Promise.all(sending);
    },
  };
}

/** The vertices whose layers are in the plan's result. */
function resultChain({ vertices, result }: BuildPlan): Set<VertexId> {
  const chain = new Set<VertexId>();
  const visit = (id: VertexId) => {
    chain.add(id);
    const op = vertices.get(id)?.op;
    if (op?.kind === 'run' || op?.kind === 'file') visit(op.base);
    if (op?.kind === 'merge') for (const each of [op.lower, op.upper]) visit(each);
  };
  visit(result);
  return chain;
}

async function exportTo(
  medium: CacheMedium,
  target: StoredTarget,
  step: string,
  images: readonly SolvedImage[],
  packer: LayerPacker,
  workshop: Workshop,
  { emit, signal }: OperationContext,
): Promise<void> {
  const { store, executor, fetchLayer, mounts } = workshop;
  const previous = await previousBlobs(medium, workshop, signal);
  const also = await saveMounts({ root: store.root, wanted: mounts, medium, previous, emit, signal });
  const name = `exporting cache to ${placeNames[target.type]}`;
  await withStep(emit, { id: step, name, signal }, async (id) => {
    const encoding = cacheEncoding(target);
    const work = layerWork(emit, id, signal);
    const parts = await Promise.all(
      images.map(async (image) => ({ image, steps: await stepsToExport(image, target.mode ?? 'min') })),
    );
    const layers = new Map<Digest, Descriptor>();
    const blobsOf = (ref: Ref) =>
      Promise.all(
        ref.layers.map(async ({ createdAt }, at) => {
          const blob = await packer.blob(ref, at, encoding, work);
          const diffId = await packer.diffId(ref, at, undefined, work);
          if (!layers.has(blob.digest)) layers.set(blob.digest, layerBlob(blob, diffId, createdAt));
          return blob.digest;
        }),
      );
    const config = encodeBuildkitConfig(
      await buildkitConfigOf(parts, blobsOf, executor.buildkitDigest, signal),
    );
    const steps = distinctSteps(parts.flatMap((part) => part.steps));
    await exportCache(steps, { config, layers }, medium, encoding, {
      packer,
      work,
      async *openBlob(blob) {
        await fetchLayer(blob, signal);
        yield* store.content.open(blob);
      },
      transfer: { signal, onTransfer: transferTo(emit, id) },
      also,
    });
  });
}

/**
 * What the cache's document lists now: cache mounts of other builds in it are to stay. Where the cache is signed or
 * verified, only what is signed counts: what others wrote must not come out under our signature.
 */
async function previousBlobs(
  medium: CacheMedium,
  { imports, mounts, keys: { sign, verify } }: Workshop,
  signal: AbortSignal,
): Promise<readonly Descriptor[]> {
  const imported = imports.found.find((cache) => cache.medium.name === medium.name);
  const trusted = verify ?? (sign === undefined ? undefined : [sign]);
  try {
    const document =
      imported !== undefined && mounts.length === 0 ? imported.document : await medium.load(signal);
    if (document === undefined) return [];
    if (trusted !== undefined) verifyDocument(document, trusted);
    return document.blobs;
  } catch {
    signal.throwIfAborted();
    // The cache is written anew; what is wrong with the medium itself is said when it is.
    return [];
  }
}

/** Layers that came as blobs are taken as they are, without fetching them. */
function cacheEncoding({ compression, compressionLevel, forceCompression }: StoredTarget): LayerEncoding {
  return {
    compression: compression ?? 'gzip',
    level: compressionLevel,
    force: forceCompression ?? false,
    docker: false,
    leaveRemote: true,
  };
}
