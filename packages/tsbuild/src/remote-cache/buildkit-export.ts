/** The steps of a build as BuildKit's cache config, so that what is exported is of use to docker buildx too. */
import type { Digest } from '@tsbuild/core';
import { type Executor, snapshotIdOf } from '@tsbuild/executor';
import type { BuildPlan, ImageOp, Ref, Solved, SolvedStep, VertexId } from '@tsbuild/solver';
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
    for (const [id, ref] of resultsOf(image.plan, steps)) {
      const createdAt = ref.layers.at(-1)?.createdAt ?? new Date(0).toISOString();
      layers.set(id, { blobs: await blobsOf(ref), createdAt });
    }
    const contentOf = contentOfKnown(image.known, buildkitDigest, signal);
    await addSteps(records, image.plan.vertices, layers, contentOf);
  }
  return records.config;
}

/** Of the steps, and of what puts a step's layer on others (COPY --link), which is a step of its own for BuildKit. */
function resultsOf({ vertices }: BuildPlan, steps: readonly SolvedStep[]): Map<VertexId, Ref> {
  const results = new Map(steps.map(({ vertex, ref }) => [vertex.id, ref]));
  const refOf = (id: VertexId): Ref | undefined => {
    const op = vertices.get(id)?.op;
    if (op?.kind === 'image') return imageRef(op);
    return op?.kind === 'scratch' ? { layers: [] } : results.get(id);
  };
  // Inputs come before what uses them.
  for (const { id, op } of vertices.values()) {
    if (op.kind !== 'merge') continue;
    const [lower, upper] = [refOf(op.lower), refOf(op.upper)];
    if (lower && upper) results.set(id, { layers: [...lower.layers, ...upper.layers] });
  }
  return results;
}

function imageRef({ diffIds, layers }: ImageOp): Ref {
  return {
    layers: diffIds.map((diffId, at) => {
      const blob = layers[at];
      const snapshot = snapshotIdOf(diffIds.slice(0, at + 1));
      return { snapshot, diffId, ...(blob === undefined ? {} : { blob }) };
    }),
  };
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
