/**
 * The manifest that a cache has in a registry and in a folder: an image manifest whose config is BuildKit's cache config
 * and whose layers are all blobs of the cache. BuildKit's older form, an index that lists the blobs, is read too.
 */
import { type Descriptor, mediaTypes, sha256, TsbuildError } from '@tsbuild/core';
import { decodeIndex, decodeManifest, isIndexType } from '@tsbuild/registry';
import type { CacheDocument } from './medium.js';

/** BuildKit's cache/remotecache/v1. */
export const cacheConfigMediaType = 'application/vnd.buildkit.cacheconfig.v0';

/** Largest config that is read, bytes. */
export const configLimit = 64 << 20;

/** What a manifest says of a cache; its config is still to be read. */
export interface CacheManifest {
  config: Descriptor;
  blobs: Descriptor[];
  annotations: Record<string, string>;
}

/** Undefined for an image, which may hold an inline cache. @throws TsbuildError TSB_INTEGRITY_BAD_DOCUMENT */
export function readCacheManifest(
  descriptor: Pick<Descriptor, 'mediaType'>,
  bytes: Buffer,
  name: string,
): CacheManifest | undefined {
  if (isIndexType(descriptor.mediaType)) {
    const { manifests, annotations = {} } = decodeIndex(bytes, name);
    const config = manifests.find(({ mediaType }) => mediaType === cacheConfigMediaType);
    if (config === undefined) return undefined;
    return { config, blobs: manifests.filter((entry) => entry !== config), annotations };
  }
  const { config, layers, annotations = {} } = decodeManifest(bytes, name);
  return config.mediaType === cacheConfigMediaType ? { config, blobs: layers, annotations } : undefined;
}

/** @returns the documents in the order in which they are put */
export function writeCacheManifest(
  document: CacheDocument,
  form: 'image' | 'index',
): { config: Descriptor; manifest: Descriptor; bytes: Buffer } {
  const config: Descriptor = {
    mediaType: cacheConfigMediaType,
    digest: sha256(document.config),
    size: document.config.length,
  };
  const annotations =
    Object.keys(document.annotations).length === 0 ? {} : { annotations: document.annotations };
  const mediaType = form === 'image' ? mediaTypes.ociManifest : mediaTypes.ociIndex;
  const blobs = document.blobs;
  const body =
    form === 'image'
      ? { schemaVersion: 2, mediaType, config, layers: blobs, ...annotations }
      : { schemaVersion: 2, mediaType, manifests: [...blobs, config], ...annotations };
  const bytes = Buffer.from(JSON.stringify(body));
  return { config, manifest: { mediaType, digest: sha256(bytes), size: bytes.length }, bytes };
}

/** A document of the cache that is missing or of a size that none has. */
export function unusable(name: string, why: string, cause?: unknown): TsbuildError {
  return new TsbuildError('TSB_CACHE_DOCUMENT', `the cache ${name} cannot be used: ${why}`, {
    hint: 'Write it again with --cache-to.',
    ...(cause === undefined ? {} : { cause }),
  });
}
