/**
 * Refs whose layers are known by their blobs only (results of steps that a shared cache brought, layers of a base image
 * that no step has run on yet): their snapshots are made when their files are needed.
 */
import type { Descriptor, Digest } from '@tsbuild/core';
import type { LayerRef, Ref, SnapshotId } from '@tsbuild/solver';
import type { BlobContext } from '../api.js';
import { type LayerUnpacker, type PackedLayer, snapshotIdOf, unpackLayers } from './unpack-layers.js';

/** A layer that can be fetched and unpacked. */
export type LazyLayer = LayerRef & { readonly diffId: Digest; readonly blob: Descriptor };

export function isLazy(layer: LayerRef): layer is LazyLayer {
  return layer.diffId !== undefined && layer.blob !== undefined;
}

/**
 * Makes every snapshot of the ref that is missing.
 * @param open the uncompressed tar stream of a blob
 */
export async function realize(
  ref: Ref,
  open: (blob: Descriptor, signal: AbortSignal) => Promise<AsyncIterable<Uint8Array>>,
  unpacker: LayerUnpacker,
  context: BlobContext,
): Promise<void> {
  const missing: PackedLayer[] = [];
  for (const [index, layer] of ref.layers.entries()) {
    if (unpacker.exists(layer.snapshot) || !isLazy(layer)) continue;
    const { snapshot: id, diffId, blob } = layer;
    missing.push({ id, diffId, blob, parents: parentsOf(ref, index) });
  }
  if (missing.length === 0) return;
  await unpackLayers(missing, ({ blob }, signal) => open(blob, signal), unpacker, context);
}

/** The layers that the id counts as below: all, or for a layer that was made on scratch and put on top (COPY --link) none. */
function parentsOf({ layers }: Ref, index: number): SnapshotId[] {
  const { snapshot } = layers[index] as LayerRef;
  for (let from = 0; from <= index; from++) {
    const chain = layers.slice(from, index + 1);
    const diffIds = chain.flatMap(({ diffId }) => diffId ?? []);
    if (diffIds.length === chain.length && snapshotIdOf(diffIds) === snapshot)
      return chain.slice(0, -1).map((layer) => layer.snapshot);
  }
  throw new Error(`snapshot ${snapshot} has no name that its layers give`);
}
