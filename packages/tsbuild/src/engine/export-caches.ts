/** After a build: writes the caches of --cache-to, each shown as a step. */
import type { Ref } from '@tsbuild/solver';
import type { Descriptor } from '@tsbuild/core';
import type { BuildOptions, CacheTarget } from '../api/types.js';
import type { SolvedImage } from '../export/image.js';
import { createLayerPacker, type LayerEncoding, layerWork } from '../export/layers.js';
import { mountSources } from '../export/mount-sources.js';
import { transferTo } from '../image/fetch.js';
import { encodeBuildkitConfig } from '../remote-cache/buildkit-config.js';
import { buildkitConfigOf } from '../remote-cache/buildkit-export.js';
import { distinctSteps, exportCache, stepsToExport } from '../remote-cache/export.js';
import { saveMounts } from '../remote-cache/mounts/save.js';
import { verifyDocument } from '../remote-cache/signature.js';
import { targetMedium } from '../remote-cache/media.js';
import type { CacheMedium } from '../remote-cache/medium.js';
import type { OperationContext } from './context.js';
import { withStep } from './step.js';
import type { Workshop } from './workshop.js';

/** In BuildKit's words. */
const placeNames = { registry: 'registry', local: 'client directory', s3: 'Amazon S3' };

type StoredTarget = Exclude<CacheTarget, { type: 'inline' }>;

export async function exportCaches(
  images: readonly SolvedImage[],
  {
    cacheFrom,
    cacheTo = [],
    insecureRegistries,
  }: Pick<BuildOptions, 'cacheFrom' | 'cacheTo' | 'insecureRegistries'>,
  workshop: Workshop,
  context: OperationContext,
): Promise<void> {
  const stored = cacheTo.filter((target) => target.type !== 'inline');
  for (const [at, target] of stored.entries()) {
    const medium = targetMedium(target, {
      repositories: workshop.registries.repository,
      insecureRegistries,
      keys: workshop.keys,
      mountFrom: (registry) => mountSources(images, registry, cacheFrom),
    });
    try {
      await exportTo(medium, target, `export:cache:${at}`, images, workshop, context);
    } catch (error) {
      if (target.ignoreError !== true) throw error;
      context.signal.throwIfAborted();
      const message = `the cache ${medium.name} was not written: ${error instanceof Error ? error.message : String(error)}`;
      context.emit({ type: 'warning', rule: 'CacheExport', message });
    }
  }
}

async function exportTo(
  medium: CacheMedium,
  target: StoredTarget,
  step: string,
  images: readonly SolvedImage[],
  workshop: Workshop,
  { emit, signal }: OperationContext,
): Promise<void> {
  const { store, executor, fetchLayer, mounts } = workshop;
  const packer = createLayerPacker({ store, executor, fetchBlob: fetchLayer });
  const previous = await previousBlobs(medium, workshop, signal);
  const also = await saveMounts({ root: store.root, wanted: mounts, medium, previous, emit, signal });
  const name = `exporting cache to ${placeNames[target.type]}`;
  await withStep(emit, { id: step, name, signal }, async (id) => {
    const encoding = cacheEncoding(target);
    const work = layerWork(emit, id, signal);
    const parts = await Promise.all(
      images.map(async (image) => ({ image, steps: await stepsToExport(image, target.mode ?? 'min') })),
    );
    const blobsOf = async (ref: Ref) => {
      const blobs = await Promise.all(ref.layers.map((_, at) => packer.blob(ref, at, encoding, work)));
      return blobs.map(({ digest }) => digest);
    };
    const config = encodeBuildkitConfig(
      await buildkitConfigOf(parts, blobsOf, executor.buildkitDigest, signal),
    );
    const steps = distinctSteps(parts.flatMap((part) => part.steps));
    await exportCache(steps, config, medium, encoding, {
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
