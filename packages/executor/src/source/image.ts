/** Layers of an image as snapshots: fetched in parallel, unpacked once on this machine, whoever asks. */
import { join } from 'node:path';
import { chainId, type Descriptor, type Digest, hexOf } from '@tsbuild/core';
import type { ImageOp, LayerRef, Ref, SnapshotId, StepContext } from '@tsbuild/solver';
import type { Lease } from '../lease/lease.js';
import { withLock } from '../lease/lock.js';

export interface ImageSource {
  root: string;
  lease: Lease;
  exists(id: SnapshotId): boolean;
  openLayer(op: ImageOp, layer: Descriptor, context: StepContext): Promise<AsyncIterable<Uint8Array>>;
  /** Unpacks a tar stream on top of parents as the snapshot `id`; verifies its digest. */
  unpack(
    tar: AsyncIterable<Uint8Array>,
    diffId: Digest,
    parents: readonly SnapshotId[],
    id: SnapshotId,
    signal: AbortSignal,
  ): Promise<void>;
}

/** Snapshots of image layers are found by what they and all below them hold. */
export function snapshotIdOf(diffIds: readonly Digest[]): SnapshotId {
  return `c-${hexOf(chainId(diffIds))}` as SnapshotId;
}

export async function unpackImage(op: ImageOp, source: ImageSource, context: StepContext): Promise<Ref> {
  const ids = op.diffIds.map((_, index) => snapshotIdOf(op.diffIds.slice(0, index + 1)));
  const present = await source.lease.use(ids, () => ids.map((id) => source.exists(id)));
  // Started together: the network is slower than the disk. A fault of one ends the others.
  const stop = new AbortController();
  const inner = { ...context, signal: AbortSignal.any([context.signal, stop.signal]) };
  const streams = op.layers.map((layer, index) =>
    present[index] ? undefined : settle(source.openLayer(op, layer, inner)),
  );
  try {
    for (const [index, id] of ids.entries()) {
      const stream = streams[index];
      if (stream === undefined) continue;
      await unpackOnce(op, index, id, ids.slice(0, index), await take(stream), source, inner);
    }
  } catch (error) {
    stop.abort(error);
    await Promise.all(streams.map(discard));
    throw error;
  }
  return { layers: ids.map((snapshot, index) => layerRef(op, index, snapshot)) };
}

function layerRef(op: ImageOp, index: number, snapshot: SnapshotId): LayerRef {
  return { snapshot, diffId: op.diffIds[index] as Digest, blob: op.layers[index] as Descriptor };
}

async function unpackOnce(
  op: ImageOp,
  index: number,
  id: SnapshotId,
  parents: readonly SnapshotId[],
  tar: AsyncIterable<Uint8Array>,
  source: ImageSource,
  context: StepContext,
): Promise<void> {
  const layer = op.layers[index] as Descriptor;
  await withLock(join(source.root, 'locks', id), 'exclusive', context.signal, async () => {
    if (source.exists(id)) return;
    const counted = countBytes(tar, (current) =>
      context.emit({
        type: 'transfer',
        id: context.vertex.id,
        item: hexOf(layer.digest).slice(0, 12),
        action: 'unpacking',
        current,
        at: Date.now(),
      }),
    );
    await source.unpack(counted, op.diffIds[index] as Digest, parents, id, context.signal);
  });
}

/** Reports at most every 4 MiB. */
async function* countBytes(
  stream: AsyncIterable<Uint8Array>,
  report: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  let reported = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes - reported >= 4 * 1024 * 1024) {
      report(bytes);
      reported = bytes;
    }
    yield chunk;
  }
  report(bytes);
}

type Settled<T> = Promise<{ value: T } | { error: unknown }>;

/** A rejection that is looked at later must not count as unhandled until then. */
function settle<T>(promise: Promise<T>): Settled<T> {
  return promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
}

async function take<T>(settled: Settled<T>): Promise<T> {
  const outcome = await settled;
  if ('error' in outcome) throw outcome.error;
  return outcome.value;
}

/** Closes a stream that nobody reads. */
async function discard(settled: Settled<AsyncIterable<Uint8Array>> | undefined): Promise<void> {
  const outcome = await settled;
  if (outcome !== undefined && 'value' in outcome) await outcome.value[Symbol.asyncIterator]().return?.();
}
