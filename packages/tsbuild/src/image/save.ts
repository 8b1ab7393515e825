/** Writes images of the store to an archive or a layout folder. */
import { normalizeReference } from '@tsbuild/registry';
import type { ImportedImage, SaveOptions } from '../api/types.js';
import type { OperationContext } from '../engine/context.js';
import { writeImages } from '../export/archive.js';
import { checkArchiveDestination } from '../export/destination.js';
import { openStore } from '../store/open.js';
import { findImage } from './find.js';

export async function save(options: SaveOptions, { emit, signal }: OperationContext): Promise<ImportedImage> {
  const { dest, format = 'docker', folder = false } = options;
  checkArchiveDestination(dest, folder);
  const store = await openStore({ root: options.root, warn: (message) => emit({ type: 'notice', message }) });
  const images = [];
  for (const reference of options.references) {
    const { name, descriptor } = await findImage(store, reference);
    images.push({ descriptor, names: name === undefined ? [] : [normalizeReference(name)] });
  }
  const [first] = images;
  if (!first) throw new RangeError('save of no images');
  await writeImages(store, images, { format, folder, dest }, signal);
  return { digest: first.descriptor.digest, names: images.flatMap(({ names }) => names) };
}
