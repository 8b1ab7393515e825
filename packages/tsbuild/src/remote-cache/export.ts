/** Writes the results of a build into a shared cache: layers as blobs, then the documents that name them. */
import pLimit from 'p-limit';
import { type Descriptor, type Digest, sha256 } from '@tsbuild/core';
import { contentKey, type Executor, snapshotIdOf } from '@tsbuild/executor';
import type { ByteStream, TransferOptions } from '@tsbuild/registry';
import type { LayerRef, Ref, Solved, SolvedStep } from '@tsbuild/solver';
import type { LayerEncoding, LayerPacker, LayerWork } from '../export/layers.js';
import { encodeInlineRecords } from './buildkit-config.js';
import { buildkitConfigOf, onLayersOf } from './buildkit-export.js';
import { type CacheIndexDocument, indexMediaType, type LayerNode } from './cache-index.js';
import type { CacheMedium } from './medium.js';
import { inlineMembers } from './inline.js';
import { once } from './registry-medium.js';

const parallelUploads = 4;

export interface ExportTools {
  packer: LayerPacker;
  work: LayerWork;
  /** Bytes of a blob, fetched where the store lacks it. */
  openBlob(blob: Descriptor): ByteStream;
  transfer: TransferOptions;
  /** Further blobs that the cache's document is to list; they were put. */
  also?: readonly Descriptor[];
}

/**
 * The steps of one platform that a mode takes.
 * @param mode `min`: the steps whose layers are in the result; `max`: all steps
 */
export async function stepsToExport(
  { ref, steps }: Pick<Solved, 'ref' | 'steps'>,
  mode: 'min' | 'max',
): Promise<SolvedStep[]> {
  const all = await steps();
  if (mode === 'max') return all;
  const inResult = new Set(ref.layers.map(nameOf));
  return all.filter((step) => step.ref.layers.every((layer) => inResult.has(nameOf(layer))));
}

/** Equal steps once. */
export function distinctSteps(steps: readonly SolvedStep[]): SolvedStep[] {
  return [...new Map(steps.map((step) => [step.key, step])).values()];
}

/** A layer on scratch (COPY --link) and the same on others are two snapshots of one blob. */
function nameOf({ diffId, snapshot }: LayerRef): string {
  return diffId ?? snapshot;
}

/**
 * The index of these steps. Layers are packed as needed.
 * @param encoding of the blobs; unset leaves them out, for the config of an image that has them itself
 */
export async function indexOf(
  steps: readonly SolvedStep[],
  { packer, work }: Pick<ExportTools, 'packer' | 'work'>,
  encoding: LayerEncoding | undefined,
): Promise<CacheIndexDocument> {
  const layers: LayerNode[] = [];
  /** By the snapshots of the chain. */
  const nodes = new Map<string, number>();

  const nodeOf = async (ref: Ref): Promise<number | undefined> => {
    let parent: number | undefined;
    let chain = '';
    for (const [index, layer] of ref.layers.entries()) {
      chain += `${layer.snapshot} `;
      const known = nodes.get(chain);
      const node: number = known ?? layers.push(await describe(ref, index, layer, parent)) - 1;
      nodes.set(chain, node);
      parent = node;
    }
    return parent;
  };

  const describe = async (
    ref: Ref,
    index: number,
    { createdAt }: LayerRef,
    parent: number | undefined,
  ): Promise<LayerNode> => ({
    diffId: await packer.diffId(ref, index, undefined, work),
    ...(encoding === undefined ? {} : { blob: await packer.blob(ref, index, encoding, work) }),
    ...(parent === undefined ? {} : { parent }),
    ...(createdAt === undefined ? {} : { createdAt }),
  });

  /** As whoever imports the cache names it. */
  const portable = (ref: Ref): Pick<Ref, 'layers'> => {
    const diffIds: Digest[] = [];
    let chain = '';
    return {
      layers: ref.layers.map((layer) => {
        chain += `${layer.snapshot} `;
        diffIds.push((layers[nodes.get(chain) as number] as LayerNode).diffId);
        return { ...layer, snapshot: snapshotIdOf(diffIds) };
      }),
    };
  };

  if (encoding !== undefined) await packAll(steps, packer, encoding, work);
  const document: CacheIndexDocument = { version: 1, layers, records: [], contents: {} };
  for (const { vertex, key, ref, reads } of steps) {
    const layer = await nodeOf(ref);
    const createdAt = ref.layers.at(-1)?.createdAt ?? new Date(0).toISOString();
    document.records.push({
      key,
      createdAt,
      description: vertex.name,
      ...(layer === undefined ? {} : { layer }),
    });
    for (const { input, selector, digest } of reads) {
      await nodeOf(input);
      document.contents[contentKey(portable(input), selector)] = digest;
    }
  }
  return document;
}

/** Packs at the same time what is described one by one afterwards. */
async function packAll(
  steps: readonly SolvedStep[],
  packer: LayerPacker,
  encoding: LayerEncoding,
  work: LayerWork,
): Promise<void> {
  const refs = steps.flatMap(({ ref, reads }) => [ref, ...reads.map(({ input }) => input)]);
  await Promise.all(
    refs.flatMap((ref) => ref.layers.map((_, index) => packer.blob(ref, index, encoding, work))),
  );
}

/** A layer's blob as a cache lists it, so that BuildKit knows the layer by it. */
export function layerBlob(
  { mediaType, digest, size }: Descriptor,
  diffId: Digest,
  createdAt: string | undefined,
): Descriptor {
  const annotations = {
    ...(createdAt === undefined ? {} : { 'buildkit/createdat': createdAt }),
    'containerd.io/uncompressed': diffId,
  };
  return { mediaType, digest, size, annotations };
}

/**
 * @param buildkit its config, and the layers that are named there
 * @returns what was uploaded, bytes
 */
export async function exportCache(
  steps: readonly SolvedStep[],
  buildkit: { config: Buffer; layers: ReadonlyMap<Digest, Descriptor> },
  medium: CacheMedium,
  encoding: LayerEncoding,
  tools: ExportTools,
): Promise<{ uploaded: number; blobs: number }> {
  const index = await indexOf(steps, tools, encoding);
  const indexBytes = Buffer.from(JSON.stringify(index));
  const indexBlob = {
    mediaType: indexMediaType,
    digest: sha256(indexBytes),
    size: indexBytes.length,
  };
  const layers = new Map(buildkit.layers);
  for (const { blob, diffId, createdAt } of index.layers) {
    if (blob !== undefined && !layers.has(blob.digest))
      layers.set(blob.digest, layerBlob(blob, diffId, createdAt));
  }
  let uploaded = 0;
  const put = async (blob: Descriptor, open: () => ByteStream) => {
    if ((await medium.put(blob, open, tools.transfer)) === 'uploaded') uploaded += blob.size;
  };
  const limit = pLimit(parallelUploads);
  await Promise.all(
    [...layers.values()].map((blob) =>
      limit(async () => {
        tools.transfer.signal.throwIfAborted();
        await put(blob, () => tools.openBlob(blob));
      }),
    ),
  );
  await put(indexBlob, () => once(indexBytes));
  const blobs = [...layers.values(), indexBlob, ...(tools.also ?? [])];
  await medium.publish({ config: buildkit.config, blobs, annotations: {} }, tools.transfer);
  return { uploaded, blobs: blobs.length };
}

/**
 * Members for the config of an image that holds its own cache. What steps read of other stages is left out: without
 * those stages' layers they are built again, and their content is known then.
 */
export async function inlineMembersOf(
  image: Solved,
  { packer, work }: Pick<ExportTools, 'packer' | 'work'>,
  buildkitDigest: Executor['buildkitDigest'],
): Promise<Record<string, string>> {
  const steps = await stepsToExport(image, 'min');
  const index = await indexOf(
    distinctSteps(steps).map((step) => ({ ...step, reads: [] })),
    { packer, work },
    undefined,
  );
  const diffIdsOf = (ref: Ref) =>
    Promise.all(ref.layers.map((_, at) => packer.diffId(ref, at, undefined, work)));
  const config = await buildkitConfigOf([{ image, steps }], diffIdsOf, buildkitDigest, work.signal);
  const records = onLayersOf(config, await diffIdsOf(image.ref));
  return inlineMembers(Buffer.from(JSON.stringify(index)), encodeInlineRecords(records));
}
