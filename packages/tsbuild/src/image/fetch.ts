/** Brings documents and blobs of images from registries into the store's content, each once. */
import { type Descriptor, type EventSink, TsbuildError } from '@tsbuild/core';
import {
  apiReference,
  type BlobFetcher,
  isIndexType,
  isManifestType,
  readRemoteBlob,
  type Reference,
  type RemoteRepository,
  type Transfer,
  type TransferOptions,
  withDefaultTag,
} from '@tsbuild/registry';
import type { Store } from '../store/open.js';
import type { ReadDocument } from './read.js';
import type { Repositories } from './remote.js';

/** Largest config that is read, bytes. */
const configLimit = 8 << 20;

/** Progress of a transfer as an event of a step. */
export function transferTo(emit: EventSink, id: string): (transfer: Transfer) => void {
  return (transfer) => emit({ type: 'transfer', id, at: Date.now(), ...transfer });
}

/** Asks the registry what a reference is now, and keeps that document. */
export async function fetchRoot(
  store: Store,
  repositories: Repositories,
  reference: Reference,
  signal: AbortSignal,
): Promise<Descriptor> {
  const repository = await repositories(reference);
  const root = await repository.resolve(apiReference(withDefaultTag(reference)), { signal });
  if (await store.useBlob(root.digest, root.size)) return root;
  const { descriptor, bytes } = await repository.manifest(root.digest, { signal });
  await store.content.putBytes(bytes);
  return descriptor;
}

/** Reads documents of an image from the store, and from its repository where they are not there yet. */
export function readThrough(
  store: Store,
  repositories: Repositories,
  reference: Reference,
  signal: AbortSignal,
): ReadDocument {
  return async (descriptor) => {
    if (await store.useBlob(descriptor.digest, descriptor.size)) {
      try {
        return await store.content.read(descriptor);
      } catch (error) {
        if (!TsbuildError.is(error) || !error.code.startsWith('TSB_INTEGRITY_')) throw error;
      }
    }
    const repository = await repositories(reference);
    const isDocument = isIndexType(descriptor.mediaType) || isManifestType(descriptor.mediaType);
    const bytes = isDocument
      ? (await repository.manifest(descriptor.digest, { signal })).bytes
      : await readRemoteBlob(repository, descriptor, configLimit, { signal });
    await store.content.putBytes(bytes);
    return bytes;
  };
}

/** Makes sure that a blob is in the store. */
export async function fetchBlob(
  store: Store,
  fetcher: BlobFetcher,
  repository: RemoteRepository,
  blob: Descriptor,
  options: TransferOptions,
): Promise<void> {
  if (await store.useBlob(blob.digest, blob.size)) return;
  await fetcher.fetch(repository, blob, options);
}
