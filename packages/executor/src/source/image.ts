/** An image's root file system as snapshots of its layers. */
import type { Descriptor, Digest } from '@tsbuild/core';
import type { ImageOp, Ref, StepContext } from '@tsbuild/solver';
import { type LayerUnpacker, snapshotIdOf, unpackLayers } from './unpack-layers.js';

export interface ImageSource extends LayerUnpacker {
  openLayer(op: ImageOp, layer: Descriptor, context: StepContext): Promise<AsyncIterable<Uint8Array>>;
}

export async function unpackImage(op: ImageOp, source: ImageSource, context: StepContext): Promise<Ref> {
  const ids = op.diffIds.map((_, index) => snapshotIdOf(op.diffIds.slice(0, index + 1)));
  const layers = ids.map((id, index) => ({
    id,
    parents: ids.slice(0, index),
    diffId: op.diffIds[index] as Digest,
    blob: op.layers[index] as Descriptor,
  }));
  await unpackLayers(
    layers,
    ({ blob }, signal) => source.openLayer(op, blob, { ...context, signal }),
    source,
    context,
  );
  return { layers: layers.map(({ id, diffId, blob }) => ({ snapshot: id, diffId, blob })) };
}

/** The image's root file system if all of it is unpacked already; fetches nothing. */
export async function presentImage(
  { diffIds, layers }: ImageOp,
  { lease, exists }: Pick<LayerUnpacker, 'lease' | 'exists'>,
): Promise<Ref | undefined> {
  const ids = diffIds.map((_, index) => snapshotIdOf(diffIds.slice(0, index + 1)));
  if (!(await lease.use(ids, () => ids.every((id) => exists(id))))) return undefined;
  return {
    layers: ids.map((snapshot, index) => ({
      snapshot,
      diffId: diffIds[index] as Digest,
      blob: layers[index] as Descriptor,
    })),
  };
}
