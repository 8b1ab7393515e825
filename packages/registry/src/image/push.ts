/** Images from a content store to a registry: blobs first, then manifests, then the index; the name last of all. */
import pLimit from 'p-limit';
import { TsbuildError, type Descriptor } from '@tsbuild/core';
import type { ByteStream, ContentStore, RemoteRepository, TransferOptions } from '../api.js';
import { decodeIndex, decodeManifest, isIndexType } from './decode.js';
import { allOrStop } from './pull.js';

const parallelUploads = 6;

export interface PushOptions extends TransferOptions {
  concurrency?: number;
  /** Repositories of the same registry that may have the blob: tried for a mount, in order. */
  mountFrom?(descriptor: Descriptor): string[];
  /** Where a blob comes from that the store does not hold (a base layer that was never fetched). */
  openBlob?(descriptor: Descriptor): Promise<ByteStream>;
}

/**
 * Pushes an image or an index with all that it names.
 * @param reference tag (or digest) it gets
 * @returns the descriptor as the registry confirmed it
 */
export async function pushImage(
  repository: RemoteRepository,
  reference: string,
  root: Descriptor,
  store: ContentStore,
  options: PushOptions,
): Promise<Descriptor> {
  const limit = pLimit(options.concurrency ?? parallelUploads);

  async function pushBlob(descriptor: Descriptor, transfer: TransferOptions): Promise<void> {
    const mountFrom = options.mountFrom?.(descriptor) ?? [];
    await limit(async () => {
      transfer.signal.throwIfAborted();
      await repository.pushBlob(descriptor, () => blob(descriptor), { ...transfer, mountFrom });
    });
  }

  async function* blob(descriptor: Descriptor): ByteStream {
    const there = (await store.has(descriptor.digest)) !== undefined;
    yield* there || options.openBlob === undefined
      ? store.open(descriptor)
      : await options.openBlob(descriptor);
  }

  async function pushTree(
    descriptor: Descriptor,
    name: string,
    transfer: TransferOptions,
  ): Promise<Descriptor> {
    const bytes = await store.read(descriptor).catch((error: unknown) => {
      throw TsbuildError.is(error) && error.code === 'TSB_STORE_BLOB_MISSING'
        ? incomplete(descriptor, error)
        : error;
    });
    if (isIndexType(descriptor.mediaType)) {
      const { manifests } = decodeIndex(bytes, `index ${descriptor.digest}`);
      await allOrStop(transfer, manifests, (child, inner) => pushTree(child, child.digest, inner));
    } else {
      const manifest = decodeManifest(bytes, `manifest ${descriptor.digest}`);
      const blobs = [
        ...new Map([...manifest.layers, manifest.config].map((one) => [one.digest, one])).values(),
      ];
      await allOrStop(transfer, blobs, pushBlob);
    }
    return repository.pushManifest(name, descriptor.mediaType, bytes, transfer);
  }

  return pushTree(root, reference, options);
}

function incomplete(descriptor: Descriptor, cause: unknown): TsbuildError {
  return new TsbuildError(
    'TSB_STORE_BLOB_MISSING',
    `manifest ${descriptor.digest} of the image is not in the store`,
    {
      hint: 'The image was pulled for one platform only: pull it for all platforms first, or build it again.',
      cause,
    },
  );
}
