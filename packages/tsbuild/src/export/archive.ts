/** Writes images of the store as OCI or docker archives, or as an OCI layout folder. */
import { hostPlatform } from '@tsbuild/core';
import { makeFolders } from '@tsbuild/executor';
import { dockerArchive, type NamedImage, ociArchive, writeLayout } from '@tsbuild/registry';
import type { FileDestination } from '../api/types.js';
import type { Store } from '../store/open.js';
import { writeDestination, writeFolder } from './destination.js';

export interface ArchiveTarget {
  format: 'oci' | 'docker';
  /** A folder instead of a tar. */
  folder: boolean;
  dest: FileDestination;
}

export async function writeImages(
  store: Store,
  images: readonly NamedImage[],
  { format, folder, dest }: ArchiveTarget,
  signal: AbortSignal,
): Promise<void> {
  if (folder && typeof dest === 'string') {
    await writeFolder(dest, (path) => {
      makeFolders(path);
      return writeLayout(store.content, images, path, signal);
    });
    return;
  }
  const bytes =
    format === 'oci'
      ? ociArchive(store.content, images)
      : dockerArchive(store.content, images, hostPlatform());
  await writeDestination(dest, bytes, signal);
}
