/**
 * A bucket as the few requests that a cache needs, by the AWS SDK. The SDK is half a megabyte and takes 0.2 s to load:
 * only s3-medium.ts imports this module, when a cache in a bucket is first used.
 */
import { homedir } from 'node:os';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { createHttpClient, createTrust, type HttpAnswer } from '@tsbuild/registry';
import { sdkHandler } from './s3-handler.js';
import type { S3Options } from './s3-options.js';

export interface FoundObject {
  /** Bytes. */
  size: number;
  modifiedMs: number;
}

/** Parts may come in any order; `complete` or `abort` ends it. */
export interface MultipartUpload {
  /** @param number from 1 */
  part(number: number, bytes: Uint8Array, signal: AbortSignal): Promise<void>;
  complete(signal: AbortSignal): Promise<void>;
  /** Frees the parts that were stored; needs no signal, for it follows one. */
  abort(): Promise<void>;
}

/** Methods throw what the SDK throws (s3-failures.ts), after the tries that are worth it. */
export interface Bucket {
  head(key: string, signal: AbortSignal): Promise<FoundObject | undefined>;
  /** The object from a byte on. @returns undefined where there is none */
  get(key: string, offset: number, signal: AbortSignal): Promise<HttpAnswer | undefined>;
  put(key: string, bytes: Uint8Array, signal: AbortSignal): Promise<void>;
  upload(key: string, signal: AbortSignal): Promise<MultipartUpload>;
  /** Makes the object's time now. */
  touch(key: string, size: number, signal: AbortSignal): Promise<void>;
}

export interface BucketOptions
  extends Pick<S3Options, 'bucket' | 'region' | 'endpoint' | 'usePathStyle' | 'credentials'> {
  /** `host[:port]` of endpoints whose certificate may be any. */
  insecureRegistries: readonly string[];
  /** Bytes that one copy may have. Default: what Amazon allows. */
  copyLimit?: number;
}

const attempts = 3;
/** Caches are there to save time: one that is silent for longer is given up. */
const answerTimeoutMs = 30_000;
const idleTimeoutMs = 30_000;
/** Large objects are put together, or copied, before the answer comes. */
const commitTimeoutMs = 300_000;
/** The most that one copy takes (Amazon S3 API reference, CopyObject and UploadPartCopy). */
const largestCopy = 5 * 1024 ** 3;

export function openBucket(options: BucketOptions): Bucket {
  const { bucket: Bucket } = options;
  // It runs on this Node; that later versions won't is nothing a build's user can act on.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  const http = createHttpClient({
    trust: createTrust({
      env: process.env,
      home: process.env['HOME'] || homedir(),
      insecureRegistries: options.insecureRegistries,
    }),
    env: process.env,
    idleTimeoutMs,
  });
  const client = new S3Client({
    ...(options.region === undefined ? {} : { region: options.region }),
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint.href }),
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
    forcePathStyle: options.usePathStyle,
    followRegionRedirects: true,
    maxAttempts: attempts,
    requestHandler: sdkHandler(http, answerTimeoutMs),
    // Not every server knows Amazon's newer checksums. Requests are signed with the body's sha256, blobs are read by digest.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // undici doesn't send Expect.
    expectContinueHeader: false,
  });
  const copyLimit = options.copyLimit ?? largestCopy;

  async function startUpload(Key: string, abortSignal: AbortSignal) {
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }), {
      abortSignal,
    });
    const object = { Bucket, Key, UploadId };
    const parts: CompletedPart[] = [];
    return {
      async part(PartNumber: number, Body: Uint8Array, abortSignal: AbortSignal): Promise<void> {
        const command = new UploadPartCommand({ ...object, PartNumber, Body });
        const { ETag } = await client.send(command, { abortSignal });
        parts.push({ PartNumber, ETag });
      },
      async partOfItself(
        PartNumber: number,
        from: number,
        to: number,
        abortSignal: AbortSignal,
      ): Promise<void> {
        const command = new UploadPartCopyCommand({
          ...object,
          PartNumber,
          CopySource: copySource(Key),
          CopySourceRange: `bytes=${from}-${to - 1}`,
        });
        const answer = await client.send(command, { abortSignal, requestTimeout: commitTimeoutMs });
        parts.push({ PartNumber, ETag: answer.CopyPartResult?.ETag });
      },
      async complete(abortSignal: AbortSignal): Promise<void> {
        const Parts = parts.sort((a, b) => Number(a.PartNumber) - Number(b.PartNumber));
        const command = new CompleteMultipartUploadCommand({ ...object, MultipartUpload: { Parts } });
        await client.send(command, { abortSignal, requestTimeout: commitTimeoutMs });
      },
      async abort(): Promise<void> {
        await client.send(new AbortMultipartUploadCommand(object), {
          abortSignal: AbortSignal.timeout(answerTimeoutMs),
        });
      },
    };
  }

  function copySource(key: string): string {
    return `${Bucket}/${key.split('/').map(encodeURIComponent).join('/')}`;
  }

  return {
    async head(Key, abortSignal) {
      try {
        const command = new HeadObjectCommand({ Bucket, Key });
        const { ContentLength = 0, LastModified } = await client.send(command, { abortSignal });
        return { size: ContentLength, modifiedMs: LastModified?.getTime() ?? 0 };
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    },
    async get(Key, offset, abortSignal) {
      const Range = offset === 0 ? {} : { Range: `bytes=${offset}-` };
      try {
        const answer = await client.send(new GetObjectCommand({ Bucket, Key, ...Range }), { abortSignal });
        return {
          status: answer.$metadata.httpStatusCode ?? 0,
          headers: {
            ...(answer.ContentLength === undefined ? {} : { 'content-length': String(answer.ContentLength) }),
            ...(answer.ContentRange === undefined ? {} : { 'content-range': answer.ContentRange }),
          },
          // The handler's own, with methods of the SDK added.
          body: answer.Body as unknown as HttpAnswer['body'],
        };
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    },
    async put(Key, Body, abortSignal) {
      await client.send(new PutObjectCommand({ Bucket, Key, Body }), { abortSignal });
    },
    upload: startUpload,
    async touch(Key, size, abortSignal) {
      if (size <= copyLimit) {
        const command = new CopyObjectCommand({
          Bucket,
          Key,
          CopySource: copySource(Key),
          // A copy onto itself has to change something.
          Metadata: { 'updated-at': new Date().toISOString() },
          MetadataDirective: 'REPLACE',
        });
        await client.send(command, { abortSignal, requestTimeout: commitTimeoutMs });
        return;
      }
      const upload = await startUpload(Key, abortSignal);
      try {
        for (let from = 0, number = 1; from < size; from += copyLimit, number += 1) {
          await upload.partOfItself(number, from, Math.min(size, from + copyLimit), abortSignal);
        }
        await upload.complete(abortSignal);
      } catch (error) {
        await upload.abort().catch(() => undefined);
        throw error;
      }
    },
  };
}

/** HEAD has no body that could say which of bucket and object is missing. */
function isMissing(error: unknown): boolean {
  return error instanceof Error && ['NoSuchKey', 'NotFound'].includes(error.name);
}
