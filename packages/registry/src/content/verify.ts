/** Streams and buffers held against the digest and size that were promised for them. */
import { createHash } from 'node:crypto';
import { sha256, TsbuildError, type Descriptor, type Digest } from '@tsbuild/core';
import type { ByteStream } from '../api.js';

type Promised = Pick<Descriptor, 'digest' | 'size'>;

export function digestMismatch(what: string, wanted: Digest, found: Digest): TsbuildError {
  return new TsbuildError(
    'TSB_INTEGRITY_DIGEST',
    `${what}: digest mismatch: expected ${wanted}, got ${found}`,
    {
      hint: 'The bytes were changed on their way or on disk; try again, and report it to who runs the source if it stays.',
    },
  );
}

export function sizeMismatch(what: string, wanted: number, found: number | string): TsbuildError {
  return new TsbuildError(
    'TSB_INTEGRITY_SIZE',
    `${what}: size mismatch: expected ${wanted} bytes, got ${found}`,
    {
      hint: 'The bytes were cut short or changed on their way or on disk; try again.',
    },
  );
}

/** Passes the bytes on and throws TSB_INTEGRITY_* before the end where they are not what was promised. */
export async function* verified(stream: ByteStream, expected: Promised, what: string): ByteStream {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > expected.size) throw sizeMismatch(what, expected.size, `more than ${expected.size}`);
    hash.update(chunk);
    yield chunk;
  }
  if (size !== expected.size) throw sizeMismatch(what, expected.size, size);
  const found = `sha256:${hash.digest('hex')}` as Digest;
  if (found !== expected.digest) throw digestMismatch(what, expected.digest, found);
}

/** @throws TsbuildError TSB_INTEGRITY_* */
export function verifyBytes(bytes: Uint8Array, expected: Promised, what: string): void {
  if (bytes.length !== expected.size) throw sizeMismatch(what, expected.size, bytes.length);
  const found = sha256(bytes);
  if (found !== expected.digest) throw digestMismatch(what, expected.digest, found);
}

/** Gathers a stream of at most `limit` bytes. @throws TsbuildError TSB_INTEGRITY_SIZE */
export async function collect(stream: ByteStream, limit: number, what: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > limit) {
      throw new TsbuildError('TSB_INTEGRITY_SIZE', `${what} is larger than ${limit} bytes`, {
        hint: 'Documents of this kind are small; the source may not be what it says.',
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}
