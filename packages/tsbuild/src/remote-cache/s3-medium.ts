/** A cache in a bucket, in BuildKit's layout: blobs under their digests, a document for each name of a cache. */
import { type Descriptor, TsbuildError } from '@tsbuild/core';
import {
  type ByteStream,
  collect,
  defaultRetryPolicy,
  download,
  isTransient,
  pause,
  progressOf,
  type TransferOptions,
} from '@tsbuild/registry';
import pLimit from 'p-limit';
import type { CacheMedium } from './medium.js';
import type { Bucket } from './s3-bucket.js';
import { fromObject, toObject } from './s3-document.js';
import { s3Error } from './s3-failures.js';
import type { S3Options } from './s3-options.js';
import { uploadObject } from './s3-upload.js';

export interface S3MediumOptions extends S3Options {
  /** `host[:port]` of endpoints whose certificate may be any. */
  insecureRegistries?: readonly string[];
  /** As for a bucket; for tests. */
  copyLimit?: number;
}

/** BuildKit's documents have some hundred bytes for each step and layer. */
const documentLimit = 64 * 1024 * 1024;

/** Of an answer that breaks off; the SDK tries again what brings none. */
const documentRetry = { ...defaultRetryPolicy, attempts: 3, baseMs: 200 };

/** Opens no connection yet. */
export function s3Medium(options: S3MediumOptions): CacheMedium {
  const name = s3Name(options);
  const uploads = pLimit(options.uploadParallelism);
  /** For messages: the SDK chooses the host. */
  const url = options.endpoint ?? new URL('https://s3.amazonaws.com');
  let opened: Promise<Bucket> | undefined;

  function bucket(): Promise<Bucket> {
    opened ??= import('./s3-bucket.js').then(({ openBucket }) =>
      openBucket({ ...options, insecureRegistries: options.insecureRegistries ?? [] }),
    );
    return opened;
  }

  const documentKey = (one: string) => `${options.prefix}${options.manifestsPrefix}${one}`;
  const blobKey = ({ digest }: Descriptor) => `${options.prefix}${options.blobsPrefix}${digest}`;

  /** The bucket's failures said in words. */
  async function attempt<T>(
    action: string,
    signal: AbortSignal,
    work: (bucket: Bucket) => Promise<T>,
  ): Promise<T> {
    try {
      return await work(await bucket());
    } catch (error) {
      signal.throwIfAborted();
      throw s3Error(action, name, error, signal);
    }
  }

  async function uploadBlob(blob: Descriptor, open: () => ByteStream, transfer: TransferOptions) {
    const { signal } = transfer;
    const key = blobKey(blob);
    const report = progressOf(transfer, blob.digest, blob.size);
    return await attempt(`write blob ${blob.digest}`, signal, async (store) => {
      const found = await store.head(key, signal);
      // One of another size was cut short by whoever wrote it.
      if (found?.size === blob.size) {
        if (Date.now() - found.modifiedMs > options.touchRefreshMs)
          await store.touch(key, found.size, signal);
        report('exists', blob.size);
        return 'exists' as const;
      }
      report('uploading', 0);
      await uploadObject(store, key, blob, open(), signal, (sent) => report('uploading', sent));
      report('done', blob.size);
      return 'uploaded' as const;
    });
  }

  return {
    name,
    async load(signal) {
      const [first] = options.names;
      return await attempt('read the cache', signal, async (store) => {
        for (let tries = 1; ; tries += 1) {
          const answer = await store.get(documentKey(first), 0, signal);
          if (answer === undefined) return undefined;
          try {
            return fromObject(await collect(answer.body as ByteStream, documentLimit, name), name);
          } catch (error) {
            if (!isTransient(error) || !(await pause(tries, documentRetry, signal))) throw error;
          }
        }
      });
    },
    async open(blob, transfer) {
      const { signal } = transfer;
      const what = `${blob.digest} of ${name}`;
      const get = async (offset: number) => {
        const answer = await attempt(`read blob ${blob.digest}`, signal, (store) =>
          store.get(blobKey(blob), offset, signal),
        );
        if (answer !== undefined) return { ...answer, url };
        throw new TsbuildError(
          'TSB_RESOLVE_NOT_FOUND',
          `failed to read blob ${blob.digest} (${name}): not found`,
          {
            hint: "The bucket's rules may have removed it; the next --cache-to writes it again.",
          },
        );
      };
      return download({ descriptor: blob, what, retry: defaultRetryPolicy, transfer, open: get });
    },
    put: (blob, open, transfer) => uploads(() => uploadBlob(blob, open, transfer)),
    async publish(document, { signal }) {
      const bytes = toObject(document);
      await attempt('write the cache', signal, async (store) => {
        for (const one of options.names) await store.put(documentKey(one), bytes, signal);
      });
    },
  };
}

/** Without what could be a credential. */
function s3Name({ bucket, names, prefix, endpoint }: S3Options): string {
  return [
    'type=s3',
    `bucket=${bucket}`,
    `name=${names.join(';')}`,
    ...(prefix === '' ? [] : [`prefix=${prefix}`]),
    ...(endpoint === undefined ? [] : [`endpoint_url=${endpoint.origin}`]),
  ].join(',');
}
