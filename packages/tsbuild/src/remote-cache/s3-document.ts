/**
 * A cache's document as one object of a bucket. BuildKit keeps its cache config there, with the facts about each blob in
 * `annotations` of its layers (cache/remotecache/s3). What it has no place for, tsbuild puts into a member of its own,
 * which BuildKit passes over; an object that BuildKit wrote has none.
 */
import { type Descriptor, TsbuildError } from '@tsbuild/core';
import type { CacheDocument } from './medium.js';

interface LayerAnnotations {
  mediaType: string;
  diffID?: string;
  size: number;
  createdAt?: string;
}

interface Layer {
  blob?: unknown;
  parent?: unknown;
  annotations?: Partial<LayerAnnotations>;
}

interface CacheObject {
  layers?: Layer[];
  records?: unknown;
  tsbuild?: Extra;
}

interface Extra {
  /** The config as it was, where taking `annotations` and this member away doesn't give its bytes back. */
  config?: string;
  blobs: Descriptor[];
  annotations: Record<string, string>;
}

const uncompressed = 'containerd.io/uncompressed';
const createdAt = 'buildkit/createdat';

export function toObject(document: CacheDocument): Buffer {
  const { layers, ...rest } = JSON.parse(document.config.toString('utf8')) as CacheObject;
  const byDigest = new Map(document.blobs.map((blob) => [String(blob.digest), blob]));
  const extra: Extra = { blobs: [...document.blobs], annotations: { ...document.annotations } };
  const object: CacheObject = {
    ...(layers === undefined
      ? {}
      : { layers: layers.map((layer) => withFacts(layer, byDigest.get(String(layer.blob)))) }),
    ...rest,
    tsbuild: extra,
  };
  if (!plainConfig(object).equals(document.config)) extra.config = document.config.toString('base64');
  return Buffer.from(JSON.stringify(object));
}

function withFacts(layer: Layer, blob: Descriptor | undefined): Layer {
  if (blob === undefined) return layer;
  const { [uncompressed]: diffID, [createdAt]: created } = blob.annotations ?? {};
  const annotations: LayerAnnotations = {
    mediaType: blob.mediaType,
    ...(diffID === undefined ? {} : { diffID }),
    size: blob.size,
    ...(created === undefined ? {} : { createdAt: created }),
  };
  return { ...layer, annotations };
}

/** @throws TsbuildError TSB_INTEGRITY_CACHE_DOCUMENT */
export function fromObject(bytes: Buffer, what: string): CacheDocument {
  const object = parse(bytes, what);
  const { tsbuild } = object;
  if (tsbuild === undefined) return { config: bytes, blobs: blobsOf(object, what), annotations: {} };
  const { config, blobs, annotations } = tsbuild;
  if (!Array.isArray(blobs) || !blobs.every(isDescriptor) || !isTexts(annotations)) throw damaged(what);
  return {
    config: typeof config === 'string' ? Buffer.from(config, 'base64') : plainConfig(object),
    blobs,
    annotations,
  };
}

/** The config without what the bucket's form added to it. */
function plainConfig({ tsbuild: _tsbuild, layers, ...rest }: CacheObject): Buffer {
  const plain = layers?.map(({ annotations: _annotations, ...layer }) => layer);
  return Buffer.from(JSON.stringify({ ...(plain === undefined ? {} : { layers: plain }), ...rest }));
}

function blobsOf({ layers = [] }: CacheObject, what: string): Descriptor[] {
  const blobs = new Map<unknown, Descriptor>();
  for (const { blob, annotations } of layers) {
    const annotated: Record<string, string> = {};
    if (annotations?.diffID !== undefined) annotated[uncompressed] = annotations.diffID;
    if (annotations?.createdAt !== undefined) annotated[createdAt] = annotations.createdAt;
    const descriptor = {
      mediaType: annotations?.mediaType,
      digest: blob,
      size: annotations?.size,
      annotations: annotated,
    };
    if (!isDescriptor(descriptor)) throw damaged(what);
    blobs.set(blob, descriptor);
  }
  return [...blobs.values()];
}

function parse(bytes: Buffer, what: string): CacheObject {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw damaged(what, error);
  }
  if (!isObject(value)) throw damaged(what);
  const { layers, tsbuild } = value;
  if (layers !== undefined && !(Array.isArray(layers) && layers.every(isLayer))) throw damaged(what);
  if (tsbuild !== undefined && !isObject(tsbuild)) throw damaged(what);
  return value as CacheObject;
}

function isLayer(value: unknown): boolean {
  return isObject(value) && (value['annotations'] === undefined || isObject(value['annotations']));
}

function isDescriptor(value: unknown): value is Descriptor {
  if (!isObject(value)) return false;
  const { mediaType, digest, size, annotations = {} } = value;
  return (
    typeof mediaType === 'string' &&
    typeof digest === 'string' &&
    /^sha256:[0-9a-f]{64}$/.test(digest) &&
    Number.isSafeInteger(size) &&
    Number(size) >= 0 &&
    isTexts(annotations)
  );
}

function isTexts(value: unknown): value is Record<string, string> {
  return isObject(value) && Object.values(value).every((member) => typeof member === 'string');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function damaged(what: string, cause?: unknown): TsbuildError {
  return new TsbuildError('TSB_INTEGRITY_CACHE_DOCUMENT', `${what} is no cache document`, {
    hint: 'Write the cache anew with --cache-to, or name another one.',
    cause,
  });
}
