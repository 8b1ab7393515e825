/** Blobs of layers to snapshots: fetched in parallel, unpacked once on this machine, whoever asks. */
import { join } from 'node:path';
import { chainId, type Descriptor, type Digest, hexOf } from '@tsbuild/core';
import type { SnapshotId } from '@tsbuild/solver';
import type { BlobContext } from '../api.js';
import type { Lease } from '../lease/lease.js';
import { withLock } from '../lease/lock.js';

export interface LayerUnpacker {
  /** The store's folder. */
  root: string;
  lease: Lease;
  exists(id: SnapshotId): boolean;
  /** Unpacks a tar stream on top of parents as the snapshot `id`; verifies its digest. */
  unpack(
    tar: AsyncIterable<Uint8Array>,
    diffId: Digest,
    parents: readonly SnapshotId[],
    id: SnapshotId,
    signal: AbortSignal,
  ): Promise<void>;
  /** Whether the store's blob was not what it should be, and is removed: opening it again fetches it. */
  discardDamaged(blob: Descriptor, signal: AbortSignal): Promise<boolean>;
}

export interface PackedLayer {
  id: SnapshotId;
  /** Snapshots of the layers below, bottom first. */
  parents: readonly SnapshotId[];
  diffId: Digest;
  blob: Descriptor;
}

/** Snapshots of layers that came as blobs are found by what they and all below them hold. */
export function snapshotIdOf(diffIds: readonly Digest[]): SnapshotId {
  return `c-${hexOf(chainId(diffIds))}` as SnapshotId;
}

/**
 * Makes the layers' snapshots where they are missing, in order.
 * @param open the uncompressed tar stream of a layer's blob, fetched where that is not in the store
 */
export async function unpackLayers(
  layers: readonly PackedLayer[],
  open: (layer: PackedLayer, signal: AbortSignal) => Promise<AsyncIterable<Uint8Array>>,
  unpacker: LayerUnpacker,
  context: BlobContext,
): Promise<void> {
  const ids = layers.map(({ id }) => id);
  const present = await unpacker.lease.use(ids, () => ids.map((id) => unpacker.exists(id)));
  // Started together: the network is slower than the disk. A fault of one ends the others.
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const streams = layers.map((layer, index) => (present[index] ? undefined : settle(open(layer, signal))));
  try {
    for (const [index, layer] of layers.entries()) {
      const stream = streams[index];
      if (stream === undefined) continue;
      try {
        await unpackOnce(layer, await take(stream), unpacker, { ...context, signal });
      } catch (error) {
        if (signal.aborted || !(await unpacker.discardDamaged(layer.blob, signal))) throw error;
        await unpackOnce(layer, await open(layer, signal), unpacker, { ...context, signal });
      }
    }
  } catch (error) {
    stop.abort(error);
    await Promise.all(streams.map(discard));
    throw error;
  }
}

async function unpackOnce(
  { id, parents, diffId, blob }: PackedLayer,
  tar: AsyncIterable<Uint8Array>,
  { root, exists, unpack }: LayerUnpacker,
  { vertex, signal, emit }: BlobContext,
): Promise<void> {
  await withLock(join(root, 'locks', id), 'exclusive', signal, async () => {
    if (exists(id)) return;
    const item = hexOf(blob.digest).slice(0, 12);
    const counted = countBytes(tar, (current) =>
      emit({ type: 'transfer', id: vertex.id, item, action: 'unpacking', current, at: Date.now() }),
    );
    await unpack(counted, diffId, parents, id, signal);
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
