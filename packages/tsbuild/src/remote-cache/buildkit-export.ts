/** The steps of a build as BuildKit's cache config, so that what is exported is of use to docker buildx too. */
import type { Digest } from '@tsbuild/core';
import type { Executor } from '@tsbuild/executor';
import type { Ref, Solved, SolvedStep, VertexId } from '@tsbuild/solver';
import type { BuildkitConfig, BuildkitResult } from './buildkit-config.js';
import { layersOf } from './buildkit-config.js';
import { contentOfKnown } from './buildkit-import.js';
import { addSteps, BuildkitRecords, type StepLayers } from './buildkit-records.js';

export interface BuildkitPart {
  image: Pick<Solved, 'plan' | 'known'>;
  /** Those with results to be found. */
  steps: readonly SolvedStep[];
}

/** @param blobsOf what names the layers of a ref, bottom first */
export async function buildkitConfigOf(
  parts: readonly BuildkitPart[],
  blobsOf: (ref: Ref) => Promise<Digest[]>,
  buildkitDigest: Executor['buildkitDigest'],
  signal: AbortSignal,
): Promise<BuildkitConfig> {
  const records = new BuildkitRecords();
  for (const { image, steps } of parts) {
    const layers = new Map<VertexId, StepLayers>();
    for (const { vertex, ref } of steps) {
      const createdAt = ref.layers.at(-1)?.createdAt ?? new Date(0).toISOString();
      layers.set(vertex.id, { blobs: await blobsOf(ref), createdAt });
    }
    const contentOf = contentOfKnown(image.known, buildkitDigest, signal);
    await addSteps(records, image.plan.vertices, layers, contentOf);
  }
  return records.config;
}

/**
 * The records alone, with results told by the places of their layers in an image. What the image lacks is left out.
 * @param image names of its layers, bottom first
 */
export function onLayersOf(config: BuildkitConfig, image: readonly Digest[]): BuildkitConfig {
  const place = (result: BuildkitResult): BuildkitResult[] => {
    const chain = layersOf(config, result).map(({ blob }) => blob);
    const { createdAt } = result;
    if (chain.every((name, at) => image[at] === name)) return [{ top: chain.length - 1, createdAt }];
    const list = chain.map((name) => image.indexOf(name));
    return list.includes(-1) ? [] : [{ list, createdAt }];
  };
  return {
    layers: [],
    records: config.records.map((record) => ({ ...record, results: record.results.flatMap(place) })),
  };
}
