/**
 * What a shared cache knows of tsbuild's steps: the keys with the layers of their results, and the content digests that
 * entered the keys of steps which read other stages, so that a hit can be found without any file. One JSON document.
 */
import { chainId, type Descriptor, type Digest, isDigest, TsbuildError } from '@tsbuild/core';
import { snapshotIdOf } from '@tsbuild/executor';
import type { CacheRecord, LayerRef } from '@tsbuild/solver';
import { isDescriptor } from '../store/cache-store.js';

export const indexMediaType = 'application/vnd.tsbuild.cache.index.v1+json';

/** Largest document that is read, bytes: some 100,000 steps. */
export const indexLimit = 64 << 20;

/** A layer on top of another; the chain to the bottom is a root file system. */
export interface LayerNode {
  diffId: Digest;
  /** Unset in the config of an image, which has the layers itself. */
  blob?: Descriptor;
  /** Index of the layer below; it comes before this one. */
  parent?: number;
  /** As in LayerRef. */
  createdAt?: string;
}

export interface IndexRecord {
  key: Digest;
  /** Index of the topmost layer; unset for a result without layers. */
  layer?: number;
  createdAt: string;
  description: string;
}

export interface CacheIndexDocument {
  version: 1;
  layers: LayerNode[];
  records: IndexRecord[];
  /** Content digests by their contentKey. */
  contents: Record<string, Digest>;
}

/** A document as it is asked. */
export interface CacheIndex {
  /** @param name of the cache, with which the layers are marked */
  record(key: Digest, name: string): CacheRecord | undefined;
  content(key: Digest): Digest | undefined;
  /** All layers' blobs. */
  blobs(): Iterable<Descriptor>;
}

/**
 * Checks a document from outside: every number in its range, every digest one.
 * @param blobOf the blob of a layer that the document itself has none for
 * @throws TsbuildError TSB_CACHE_DOCUMENT
 */
export function readCacheIndex(
  bytes: Uint8Array,
  blobOf: (diffId: Digest) => Descriptor | undefined = () => undefined,
): CacheIndex {
  const document = decode(bytes);
  const layers = document.layers.map((node) => ({ ...node, blob: node.blob ?? blobOf(node.diffId) }));
  const records = new Map(document.records.map((record) => [record.key, record]));
  /** Digest of each layer with all below it. */
  const chains: Digest[] = [];
  for (const { diffId, parent } of layers)
    chains.push(parent === undefined ? diffId : chainId([chains[parent] as Digest, diffId]));

  return {
    record(key, name) {
      const found = records.get(key);
      if (found === undefined) return undefined;
      const chain: LayerRef[] = [];
      for (let at = found.layer; at !== undefined; at = layers[at]?.parent) {
        const { diffId, blob, createdAt } = layers[at] as (typeof layers)[number];
        if (blob === undefined) return undefined;
        const id = snapshotIdOf([chains[at] as Digest]);
        const made = createdAt === undefined ? {} : { createdAt };
        chain.push({ snapshot: id, diffId, blob, imported: [name], ...made });
      }
      const { createdAt, description } = found;
      return { key, ref: { layers: chain.reverse() }, createdAt, description };
    },
    content: (key) => document.contents[key],
    *blobs() {
      for (const { blob } of layers) if (blob !== undefined) yield blob;
    },
  };
}

function decode(bytes: Uint8Array): CacheIndexDocument {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw bad('it is no JSON', error);
  }
  if (!isObject(value) || value.version !== 1) throw bad('it has another version');
  const { layers, records, contents } = value;
  if (!Array.isArray(layers) || !Array.isArray(records) || !isObject(contents))
    throw bad('a part is missing');
  return {
    version: 1,
    layers: layers.map((node: unknown, at) => decodeLayer(node, at)),
    records: records.map((record: unknown) => decodeRecord(record, layers.length)),
    contents: decodeContents(contents),
  };
}

function decodeLayer(node: unknown, at: number): LayerNode {
  if (!isObject(node) || !isDigest(node.diffId)) throw bad(`layer ${at} has no digest`);
  const { diffId, blob, parent, createdAt } = node;
  if (blob !== undefined && !isDescriptor(blob)) throw bad(`layer ${at} has a wrong blob`);
  if (parent !== undefined && !isIndexBelow(parent, at)) throw bad(`layer ${at} has a wrong parent`);
  if (createdAt !== undefined && !isTime(createdAt)) throw bad(`layer ${at} has a wrong time`);
  return {
    diffId,
    ...(blob === undefined
      ? {}
      : { blob: { mediaType: blob.mediaType, digest: blob.digest, size: blob.size } }),
    ...(parent === undefined ? {} : { parent }),
    ...(createdAt === undefined ? {} : { createdAt }),
  };
}

function decodeRecord(record: unknown, layerCount: number): IndexRecord {
  if (!isObject(record) || !isDigest(record.key)) throw bad('a record has no key');
  const { key, layer, createdAt, description } = record;
  if (layer !== undefined && !isIndexBelow(layer, layerCount)) throw bad(`record ${key} has a wrong layer`);
  if (!isTime(createdAt) || typeof description !== 'string')
    throw bad(`record ${key} lacks its time or its name`);
  return { key, createdAt, description, ...(layer === undefined ? {} : { layer }) };
}

/** A map without a prototype, since the names come from outside. */
function decodeContents(contents: Record<string, unknown>): Record<string, Digest> {
  const decoded = Object.create(null) as Record<string, Digest>;
  for (const [key, digest] of Object.entries(contents)) {
    if (!isDigest(key) || !isDigest(digest)) throw bad('a content digest is wrong');
    decoded[key] = digest;
  }
  return decoded;
}

function isIndexBelow(value: unknown, end: number): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < end;
}

function isTime(value: unknown): value is string {
  return typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/.test(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function bad(why: string, cause?: unknown): TsbuildError {
  return new TsbuildError('TSB_CACHE_DOCUMENT', `the cache's index cannot be used: ${why}`, {
    hint: 'Write the cache again with --cache-to.',
    ...(cause === undefined ? {} : { cause }),
  });
}
