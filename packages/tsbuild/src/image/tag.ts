/** Names of the store's images. */
import { normalizeReference } from '@tsbuild/registry';
import type { ImageSummary, RemovedImage, RemoveOptions, TagOptions } from '../api/types.js';
import type { OperationContext } from '../engine/context.js';
import { openStore } from '../store/open.js';
import { findImage } from './find.js';
import { summarize } from './list.js';

export async function tag(
  { root, source, name }: TagOptions,
  { emit }: OperationContext,
): Promise<ImageSummary> {
  const store = await openStore({ root, warn: (message) => emit({ type: 'notice', message }) });
  const { descriptor } = await findImage(store, source);
  const full = normalizeReference(name);
  await store.tags.set(full, descriptor);
  return await summarize(store, full, descriptor);
}

/** All names are found before the first is removed: a wrong one among them changes nothing. */
export async function remove(
  { root, references }: RemoveOptions,
  { emit }: OperationContext,
): Promise<RemovedImage[]> {
  const store = await openStore({ root, warn: (message) => emit({ type: 'notice', message }) });
  const removed = new Map<string, RemovedImage>();
  for (const reference of references) {
    const { name, descriptor } = await findImage(store, reference);
    // A digest or an id stands for the image with all its names.
    const byName = name !== undefined && isNameFor(reference, name);
    const names = byName
      ? [name]
      : (await store.tags.list())
          .filter((tag) => tag.descriptor.digest === descriptor.digest)
          .map((tag) => tag.name);
    for (const each of names) removed.set(each, { name: each, digest: descriptor.digest });
  }
  for (const name of removed.keys()) await store.tags.delete(name);
  return [...removed.values()];
}

function isNameFor(reference: string, name: string): boolean {
  try {
    return normalizeReference(reference) === name;
  } catch {
    return false;
  }
}
