/** All that an image consists of. */
import type { Descriptor, Digest } from '@tsbuild/core';
import type { ContentStore } from '../api.js';
import { decodeIndex, decodeManifest, isIndexType } from './decode.js';

/**
 * Every blob below the descriptors, themselves included, each once, sorted by digest.
 * @param partial pass over images of an index whose manifest the store does not have
 * @throws TSB_STORE_BLOB_MISSING for a manifest that is not there; layers are not looked for
 */
export async function collectBlobs(
  store: Pick<ContentStore, 'has' | 'read'>,
  roots: readonly Descriptor[],
  options: { partial?: boolean } = {},
): Promise<Descriptor[]> {
  const found = new Map<Digest, Descriptor>();
  async function visit(descriptor: Descriptor): Promise<void> {
    if (found.has(descriptor.digest)) return;
    found.set(descriptor.digest, descriptor);
    if (!isIndexType(descriptor.mediaType)) {
      const { config, layers } = decodeManifest(
        await store.read(descriptor),
        `manifest ${descriptor.digest}`,
      );
      for (const blob of [config, ...layers]) found.set(blob.digest, blob);
      return;
    }
    for (const child of decodeIndex(await store.read(descriptor), `index ${descriptor.digest}`).manifests) {
      if (options.partial === true && (await store.has(child.digest)) === undefined) continue;
      await visit(child);
    }
  }
  for (const root of roots) await visit(root);
  return [...found.values()].sort((a, b) => (a.digest < b.digest ? -1 : 1));
}
