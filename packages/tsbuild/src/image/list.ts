/** The images of the store. */
import { type Descriptor, formatPlatform, hostPlatform } from '@tsbuild/core';
import { isIndexType } from '@tsbuild/registry';
import type { CallOptions, ImageSummary } from '../api/types.js';
import type { OperationContext } from '../engine/context.js';
import { openStore, type Store } from '../store/open.js';
import { familiar } from './names.js';
import { blobsBelow, platformsOf, readImage } from './read.js';

export async function images({ root }: CallOptions, { emit }: OperationContext): Promise<ImageSummary[]> {
  const store = await openStore({ root, warn: (message) => emit({ type: 'notice', message }) });
  const tags = await store.tags.list();
  tags.sort((a, b) => (a.name < b.name ? -1 : 1));
  return await Promise.all(tags.map(({ name, descriptor }) => summarize(store, name, descriptor)));
}

/** What is damaged or gone is left out of the summary, so that the image can still be seen and removed. */
export async function summarize(store: Store, name: string, descriptor: Descriptor): Promise<ImageSummary> {
  const summary: ImageSummary = {
    name,
    familiarName: familiar(name),
    digest: descriptor.digest,
    platforms: [],
    size: 0,
  };
  const read = (wanted: Descriptor) => store.content.read(wanted);
  try {
    const index = isIndexType(descriptor.mediaType)
      ? JSON.parse((await read(descriptor)).toString('utf8'))
      : undefined;
    const image = await readImage(read, descriptor, hostPlatform(), name);
    const { created } = image.config;
    if (created !== undefined) summary.created = created;
    if (index) summary.platforms = platformsOf(index);
    else {
      summary.configDigest = image.manifest.config.digest;
      summary.platforms = [formatPlatform(image.config)];
    }
  } catch {
    // An index without this machine's platform has no one date.
  }
  for (const blob of await blobsBelow(store.content, descriptor)) {
    summary.size += (await store.content.has(blob.digest)) ?? 0;
  }
  return summary;
}
