/**
 * Layers of a built root file system as blobs. A layer is packed to a tar once and kept uncompressed in the store;
 * a compressed form is made when an output first needs it and remembered beside it. Records say what is known, and
 * the blob itself is asked for each time, so a pruned or damaged blob is only made again.
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { type Descriptor, type Digest, type EventSink, hexOf, isDigest, sha256 } from '@tsbuild/core';
import type { Executor } from '@tsbuild/executor';
import type { ByteStream } from '@tsbuild/registry';
import type { Ref } from '@tsbuild/solver';
import type { Compression } from '../api/types.js';
import { acquireLock } from '../store/lock.js';
import type { Store } from '../store/open.js';
import { keepRecord, readRecord, touchRecord } from '../store/record-file.js';
import { compressStream, decompressStream } from './compression.js';
import { compressionOf, layerMediaType } from './media-types.js';
import { Turns } from './turns.js';

export interface PackedLayer {
  diffId: Digest;
  /** Bytes of the tar. */
  size: number;
}

export interface LayerEncoding {
  compression: Compression;
  level?: number | undefined;
  /** Recompress layers that came with an image. */
  force: boolean;
  docker: boolean;
  /** Clamp file times in new layers, seconds since the epoch. */
  clampSeconds?: number | undefined;
  /** Layers that came as blobs need not be in the store: only their descriptors are wanted. */
  leaveRemote?: boolean;
}

export interface LayerWork {
  signal: AbortSignal;
  progress(item: string, action: 'packing' | 'compressing' | 'done', current: number, total?: number): void;
}

/** Shows the packing as transfers of a step. */
export function layerWork(emit: EventSink, id: string, signal: AbortSignal): LayerWork {
  return {
    signal,
    progress: (item, action, current, total) =>
      emit({
        type: 'transfer',
        id,
        item,
        action,
        current,
        at: Date.now(),
        ...(total === undefined ? {} : { total }),
      }),
  };
}

export interface LayerSource {
  store: Store;
  executor: Pick<Executor, 'layerTar'>;
  /** Makes sure that the blob of an image's layer is in the store. */
  fetchBlob(blob: Descriptor, signal: AbortSignal): Promise<void>;
}

export interface LayerPacker {
  /** Digest of the layer's tar. Layers of images are not touched. */
  diffId(ref: Ref, index: number, clampSeconds: number | undefined, work: LayerWork): Promise<Digest>;
  /** Descriptor of the layer's blob in the encoding; the blob is in the store, unless it may be left where it is. */
  blob(ref: Ref, index: number, encoding: LayerEncoding, work: LayerWork): Promise<Descriptor>;
}

/** Blobs of layers in another compression, each made once. */
export type BlobEncoder = (
  blob: Pick<Descriptor, 'digest' | 'size'>,
  diffId: Digest,
  wanted: LayerEncoding,
  work: LayerWork,
) => Promise<{ digest: Digest; size: number }>;

export function createBlobEncoder(store: Store): BlobEncoder {
  const running = new Map<string, Promise<{ digest: Digest; size: number }>>();
  return async (blob, diffId, wanted, work) => {
    const open = () => decompressStream(store.content.open(blob));
    if (wanted.compression === 'uncompressed') {
      return await store.content.put(open(), { digest: diffId }, work.signal);
    }
    const key = `${hexOf(diffId)}-${wanted.compression}-${wanted.level ?? 'default'}`;
    return await shared(running, key, () => encodeLayer(store, key, blob.size, open, wanted, work));
  };
}

export function createLayerPacker(source: LayerSource): LayerPacker {
  /** Work of this process that is under way, so that two outputs share it. */
  const packing = new Map<string, Promise<PackedLayer>>();
  const encodeNow = createBlobEncoder(source.store);
  // The n-th layer is packed with n descriptors open: hundreds of layers at once would be more than a process may have.
  const turns = new Turns(availableParallelism());
  const encode: BlobEncoder = (...request) => turns.take(() => encodeNow(...request));

  const pack = (ref: Ref, index: number, clampSeconds: number | undefined, work: LayerWork) => {
    const key = layerKey(ref, index, clampSeconds);
    return shared(packing, key, () =>
      turns.take(() => packLayer(source, ref, index, key, clampSeconds, work)),
    );
  };

  return {
    async diffId(ref, index, clampSeconds, work) {
      return layerAt(ref, index).diffId ?? (await pack(ref, index, clampSeconds, work)).diffId;
    },

    async blob(ref, index, wanted, work) {
      const { blob, diffId } = layerAt(ref, index);
      const mediaType = layerMediaType(wanted.compression, wanted.docker);
      if (blob && diffId) {
        const recompress = wanted.force && compressionOf(blob.mediaType) !== wanted.compression;
        if (recompress || wanted.leaveRemote !== true) await source.fetchBlob(blob, work.signal);
        if (recompress) {
          return { mediaType, ...(await encode(blob, diffId, wanted, work)) };
        }
        return {
          mediaType: layerMediaType(blob.mediaType, wanted.docker),
          digest: blob.digest,
          size: blob.size,
        };
      }
      const packed = await pack(ref, index, wanted.clampSeconds, work);
      const plain = { digest: packed.diffId, size: packed.size };
      return {
        mediaType,
        ...(wanted.compression === 'uncompressed' ? plain : await encode(plain, packed.diffId, wanted, work)),
      };
    },
  };
}

function layerAt(ref: Ref, index: number) {
  const layer = ref.layers[index];
  if (!layer) throw new RangeError(`layer ${index} of ${ref.layers.length}`);
  return layer;
}

/**
 * A layer's tar depends on all layers below it: entries that equal the lower ones are left out.
 */
export function layerKey(ref: Ref, index: number, clampSeconds: number | undefined): string {
  const chain = ref.layers.slice(0, index + 1).map((layer) => layer.snapshot);
  return hexOf(sha256(JSON.stringify(['layer', clampSeconds ?? null, ...chain])));
}

function shared<T>(running: Map<string, Promise<T>>, key: string, start: () => Promise<T>): Promise<T> {
  const known = running.get(key);
  if (known) return known;
  const promise = start();
  running.set(key, promise);
  promise.catch(() => running.delete(key));
  return promise;
}

async function packLayer(
  { store, executor }: LayerSource,
  ref: Ref,
  index: number,
  key: string,
  clampSeconds: number | undefined,
  work: LayerWork,
): Promise<PackedLayer> {
  const path = join(store.root, 'cache/layers', key);
  const known = await knownBlob(store, path);
  if (known) return { diffId: known.digest, size: known.size };
  // Another process may be packing the same layer.
  const lock = await acquireLock(join(store.root, 'locks', `layer-${key}`), 'exclusive', work.signal);
  try {
    const again = await knownBlob(store, path);
    if (again) return { diffId: again.digest, size: again.size };
    const item = `layer ${index + 1}`;
    let packed = 0;
    const tar = executor.layerTar(ref, index, {
      signal: work.signal,
      progress: (bytes) => {
        packed += bytes;
        work.progress(item, 'packing', packed);
      },
      ...(clampSeconds === undefined ? {} : { clampSeconds }),
    });
    const { digest, size } = await store.content.put(tar, {}, work.signal);
    keepRecord(path, { digest, size }, store.warn);
    work.progress(item, 'done', size, size);
    return { diffId: digest, size };
  } finally {
    lock.release();
  }
}

async function encodeLayer(
  store: Store,
  key: string,
  plainSize: number,
  open: () => ByteStream,
  wanted: LayerEncoding,
  work: LayerWork,
): Promise<{ digest: Digest; size: number }> {
  const path = join(store.root, 'cache/blobs', key);
  const known = await knownBlob(store, path);
  if (known) return known;
  const lock = await acquireLock(join(store.root, 'locks', `blob-${key}`), 'exclusive', work.signal);
  try {
    const again = await knownBlob(store, path);
    if (again) return again;
    const item = key.slice(0, 12);
    const counted = countBytes(open(), (bytes) => work.progress(item, 'compressing', bytes, plainSize));
    const blob = await store.content.put(compressStream(counted, wanted, work.signal), {}, work.signal);
    keepRecord(path, blob, store.warn);
    work.progress(item, 'done', plainSize, plainSize);
    return blob;
  } finally {
    lock.release();
  }
}

/** What a record says, if its blob is still there; using it keeps it from being pruned. */
async function knownBlob(store: Store, path: string): Promise<{ digest: Digest; size: number } | undefined> {
  const record = readRecord(path, store.warn) as { digest?: unknown; size?: unknown } | undefined;
  if (!isDigest(record?.digest) || typeof record.size !== 'number') return undefined;
  if (!(await store.useBlob(record.digest, record.size))) return undefined;
  touchRecord(path, new Date());
  return { digest: record.digest, size: record.size };
}

async function* countBytes(
  stream: ByteStream,
  progress: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    progress(bytes);
    yield chunk;
  }
}
