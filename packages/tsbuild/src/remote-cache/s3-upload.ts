/** The bytes of one blob to an object: in one request where it is small, else in parts, of which few are in memory. */
import { type Descriptor, TsbuildError } from '@tsbuild/core';
import type { ByteStream } from '@tsbuild/registry';
import type { Bucket } from './s3-bucket.js';

/** S3 takes at most so many parts, of at least 5 MiB but for the last (Amazon S3 user guide, "multipart upload limits"). */
const mostParts = 10_000;
const usualPart = 8 * 1024 * 1024;
/** Parts of one blob that are sent at the same time. */
const parallelParts = 2;

/** @param onSent told the bytes that arrived so far @throws TSB_INTEGRITY_SIZE; then nothing is left in the bucket */
export async function uploadObject(
  bucket: Bucket,
  key: string,
  blob: Descriptor,
  stream: ByteStream,
  signal: AbortSignal,
  onSent: (bytes: number) => void,
): Promise<void> {
  const partSize = Math.max(usualPart, Math.ceil(blob.size / mostParts));
  const parts = chunked(stream, blob, partSize);
  if (blob.size <= partSize) {
    for await (const only of parts) await bucket.put(key, only, signal);
    return;
  }
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const upload = await bucket.upload(key, signal);
  const running = new Set<Promise<void>>();
  let sent = 0;
  const send = async (number: number, bytes: Uint8Array) => {
    try {
      await upload.part(number, bytes, either);
    } catch (error) {
      failed.abort(error);
      return;
    }
    sent += bytes.length;
    onSent(sent);
  };
  try {
    let number = 0;
    for await (const bytes of parts) {
      number += 1;
      const part: Promise<void> = send(number, bytes).finally(() => running.delete(part));
      running.add(part);
      if (running.size === parallelParts) await Promise.race(running);
      failed.signal.throwIfAborted();
    }
    await Promise.all(running);
    failed.signal.throwIfAborted();
    await upload.complete(signal);
  } catch (error) {
    failed.abort(error);
    await Promise.all(running);
    // What stays is paid for, and only a rule of the bucket would remove it.
    await upload.abort().catch(() => undefined);
    throw error;
  }
}

/** Pieces of exactly `size` bytes and a last one, which may be shorter; one for an empty blob. */
async function* chunked(stream: ByteStream, blob: Descriptor, size: number): AsyncGenerator<Uint8Array> {
  let piece = Buffer.allocUnsafe(Math.min(size, blob.size));
  let filled = 0;
  let total = 0;
  const wrong = (found: string) =>
    new TsbuildError(
      'TSB_INTEGRITY_SIZE',
      `${blob.digest}: size mismatch: expected ${blob.size} bytes, got ${found}`,
      { hint: 'The store may be damaged; build the image again with --no-cache.' },
    );
  for await (const chunk of stream) {
    total += chunk.length;
    if (total > blob.size) throw wrong(`more than ${blob.size}`);
    for (let at = 0; at < chunk.length; ) {
      const take = Math.min(chunk.length - at, piece.length - filled);
      piece.set(chunk.subarray(at, at + take), filled);
      filled += take;
      at += take;
      if (filled < piece.length || filled < size) continue;
      yield piece;
      piece = Buffer.allocUnsafe(Math.min(size, blob.size - total + chunk.length - at));
      filled = 0;
    }
  }
  if (total !== blob.size) throw wrong(String(total));
  if (filled > 0 || blob.size === 0) yield piece.subarray(0, filled);
}
