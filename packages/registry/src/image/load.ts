/** Images out of a content store. */
import type { Descriptor, Platform } from '@tsbuild/core';
import type { ContentStore, ImageContent, IndexContent } from '../api.js';
import { decodeConfig, decodeIndex, decodeManifest, isIndexType } from './decode.js';
import { chooseManifest } from './platform.js';

/** @throws TSB_STORE_BLOB_MISSING, TSB_INTEGRITY_* */
export async function readIndex(store: ContentStore, descriptor: Descriptor): Promise<IndexContent> {
  const bytes = await store.read(descriptor);
  return { index: decodeIndex(bytes, `index ${descriptor.digest}`), bytes, descriptor };
}

/** @throws TSB_STORE_BLOB_MISSING, TSB_INTEGRITY_* */
export async function readImage(store: ContentStore, descriptor: Descriptor): Promise<ImageContent> {
  const manifestBytes = await store.read(descriptor);
  const manifest = decodeManifest(manifestBytes, `manifest ${descriptor.digest}`);
  const configBytes = await store.read(manifest.config);
  const config = decodeConfig(configBytes, `config ${manifest.config.digest}`);
  return { manifest, manifestBytes, descriptor, config, configBytes };
}

/** The image for a platform under a descriptor that may be an index (of indexes). */
export async function readImageFor(
  store: ContentStore,
  descriptor: Descriptor,
  platform: Platform,
  name: string,
): Promise<ImageContent> {
  let at = descriptor;
  for (let depth = 0; isIndexType(at.mediaType); depth += 1) {
    if (depth > maximumDepth) throw new RangeError(`${name}: indexes nested deeper than ${maximumDepth}`);
    at = chooseManifest((await readIndex(store, at)).index, platform, name);
  }
  return readImage(store, at);
}

/** Deepest nesting of indexes that is followed; nothing in use goes below two. */
export const maximumDepth = 4;
