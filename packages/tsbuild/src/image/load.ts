/** Takes the images of an archive or a layout folder into the store, under the names they bring. */
import { statSync } from 'node:fs';
import { TsbuildError } from '@tsbuild/core';
import { decompressFile } from '@tsbuild/executor';
import { loadArchive, loadLayout, type NamedImage } from '@tsbuild/registry';
import type { ImportedImage, LoadOptions } from '../api/types.js';
import type { OperationContext } from '../engine/context.js';
import { withStep } from '../engine/step.js';
import { openStore, type Store } from '../store/open.js';
import { protect } from '../store/protect.js';
import { withSourceFile } from './source-file.js';

export async function load(options: LoadOptions, { emit, signal }: OperationContext): Promise<ImportedImage> {
  const store = await openStore({ root: options.root, warn: (message) => emit({ type: 'notice', message }) });
  const lease = await protect(store);
  try {
    const images = await withStep(emit, { id: 'load', name: 'load images' }, () =>
      read(store, options, signal),
    );
    return await nameImages(store, images);
  } finally {
    lease.release();
  }
}

async function read(store: Store, { source }: LoadOptions, signal: AbortSignal): Promise<NamedImage[]> {
  const isFolder = typeof source === 'string' && statSync(source, { throwIfNoEntry: false })?.isDirectory();
  if (isFolder) return loadLayout(source, store.content, signal);
  return withSourceFile(source, store.root, signal, (fd) =>
    loadArchive(decompressFile(fd), store.content, signal),
  );
}

/** Sets the names last: an archive that turns out damaged leaves only blobs behind, for prune. */
export async function nameImages(store: Store, images: readonly NamedImage[]): Promise<ImportedImage> {
  const [first] = images;
  if (first === undefined) {
    throw new TsbuildError('TSB_RESOLVE_EMPTY_ARCHIVE', 'the archive holds no image', {
      hint: 'Make it with docker save, skopeo copy or tsbuild save.',
    });
  }
  for (const { descriptor, names } of images)
    for (const name of names) await store.tags.set(name, descriptor);
  return { digest: first.descriptor.digest, names: images.flatMap(({ names }) => [...names]) };
}
