/** Caches that BuildKit wrote, as places to find the results of steps in. */
import { type Descriptor, type Digest, isDigest } from '@tsbuild/core';
import { type Executor, snapshotIdOf } from '@tsbuild/executor';
import type { BuildPlan, KnownInput, LayerRef, Ref, Vertex, VertexId } from '@tsbuild/solver';
import {
  type BuildkitConfig,
  type BuildkitResult,
  decodeBuildkitConfig,
  decodeInlineRecords,
  layersOf,
} from './buildkit-config.js';
import { type BuildkitContentOf, BuildkitLookup } from './buildkit-lookup.js';
import { isInline } from './inline.js';
import type { CacheDocument } from './medium.js';

export interface BuildkitCache {
  config: BuildkitConfig;
  /** By the digests of their blobs. */
  layers: ReadonlyMap<Digest, BuildkitBlob>;
}

interface BuildkitBlob {
  blob: Descriptor;
  diffId: Digest;
  createdAt?: string;
}

/** @throws TsbuildError TSB_CACHE_DOCUMENT */
export function buildkitCaches(document: CacheDocument): BuildkitCache[] {
  if (!isInline(document)) {
    return [{ config: decodeBuildkitConfig(document.config), layers: layersIn(document.blobs) }];
  }
  return document.inline.flatMap(({ buildkit, chain }) => {
    if (buildkit === undefined) return [];
    const config = decodeInlineRecords(
      buildkit,
      chain.map(({ blob }) => blob.digest),
    );
    return [{ config, layers: new Map(chain.map((layer) => [layer.blob.digest, layer])) }];
  });
}

/** A blob without its diff id cannot be told apart from a wrong one. */
function layersIn(blobs: readonly Descriptor[]): Map<Digest, BuildkitBlob> {
  const layers = new Map<Digest, BuildkitBlob>();
  for (const { mediaType, digest, size, annotations = {} } of blobs) {
    const { 'containerd.io/uncompressed': diffId, 'buildkit/createdat': createdAt } = annotations;
    if (!isDigest(diffId)) continue;
    const made = createdAt !== undefined && isTime(createdAt) ? { createdAt } : {};
    layers.set(digest, { blob: { mediaType, digest, size }, diffId, ...made });
  }
  return layers;
}

function isTime(text: string): boolean {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/.test(text);
}

/** @param name of the cache, with which the layers are marked; undefined where a layer is missing */
export function refOfResult(cache: BuildkitCache, result: BuildkitResult, name: string): Ref | undefined {
  const layers: LayerRef[] = [];
  const diffIds: Digest[] = [];
  for (const { blob: digest } of layersOf(cache.config, result)) {
    const known = cache.layers.get(digest);
    if (known === undefined) return undefined;
    diffIds.push(known.diffId);
    layers.push({ snapshot: snapshotIdOf(diffIds), ...known, imported: [name] });
  }
  return { layers };
}

/** Content by what the vertices gave; undefined where nothing is there, or its files would have to be fetched. */
export function contentOfKnown(
  known: KnownInput,
  buildkitDigest: Executor['buildkitDigest'],
  signal: AbortSignal,
): BuildkitContentOf {
  return async (from, selectors) => {
    const input = await known(from);
    return input && (await buildkitDigest(input, selectors, signal));
  };
}

/** Looks steps of one build up in several caches, the first one first. */
export class BuildkitFinder {
  readonly #lookups = new Map<BuildkitCache, BuildkitLookup>();
  readonly #vertices: ReadonlyMap<VertexId, Vertex>;
  readonly #buildkitDigest: Executor['buildkitDigest'];
  readonly #signal: AbortSignal;

  constructor(
    plans: readonly Pick<BuildPlan, 'vertices'>[],
    buildkitDigest: Executor['buildkitDigest'],
    signal: AbortSignal,
  ) {
    this.#vertices = new Map(plans.flatMap(({ vertices }) => [...vertices]));
    this.#buildkitDigest = buildkitDigest;
    this.#signal = signal;
  }

  async find(
    cache: BuildkitCache,
    name: string,
    id: VertexId,
    known: KnownInput,
  ): Promise<{ ref: Ref; createdAt: string } | undefined> {
    let lookup = this.#lookups.get(cache);
    if (lookup === undefined) {
      lookup = new BuildkitLookup(cache.config, this.#vertices);
      this.#lookups.set(cache, lookup);
    }
    const contentOf = contentOfKnown(known, this.#buildkitDigest, this.#signal);
    for (const result of await lookup.results(id, contentOf)) {
      const ref = refOfResult(cache, result, name);
      if (ref !== undefined) return { ref, createdAt: result.createdAt };
    }
    return undefined;
  }
}
