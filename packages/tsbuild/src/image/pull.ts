/** Fetches an image into the store and gives it its name. */
import { type Descriptor, formatPlatform, hostPlatform, type Platform, parsePlatform } from '@tsbuild/core';
import {
  apiReference,
  formatReference,
  parseReference,
  pullImage,
  type Reference,
  withDefaultTag,
} from '@tsbuild/registry';
import type { ImageSummary, PullOptions } from '../api/types.js';
import type { OperationContext } from '../engine/context.js';
import { withStep } from '../engine/step.js';
import { openStore, type Store } from '../store/open.js';
import { protect } from '../store/protect.js';
import { transferTo } from './fetch.js';
import { summarize } from './list.js';
import { connect, type Registries } from './remote.js';

export async function pull(options: PullOptions, context: OperationContext): Promise<ImageSummary> {
  const { emit } = context;
  const store = await openStore({ root: options.root, warn: (message) => emit({ type: 'notice', message }) });
  const registries = connect(options);
  const lease = await protect(store);
  try {
    const reference = withDefaultTag(parseReference(options.reference));
    const platform = options.platform === undefined ? hostPlatform() : parsePlatform(options.platform);
    const descriptor = await pullInto(store, registries, reference, platform, context);
    return await summarize(store, formatReference(reference), descriptor);
  } finally {
    await registries.close();
    lease.release();
  }
}

/** All blobs first, the name last: a pull that ends early leaves only blobs that the next one finds. */
export async function pullInto(
  store: Store,
  registries: Registries,
  reference: Reference,
  platform: Platform,
  { emit, signal }: OperationContext,
): Promise<Descriptor> {
  const name = formatReference(reference);
  const step = { id: `pull ${name}`, name: `pull ${name}`, platform: formatPlatform(platform) };
  return await withStep(emit, step, async (id) => {
    const repository = await registries.repository(reference);
    const onTransfer = transferTo(emit, id);
    const pulled = await pullImage(repository, apiReference(reference), store.content, {
      name,
      platform,
      signal,
      onTransfer,
    });
    await store.tags.set(name, pulled);
    return pulled;
  });
}
