/** Digest and size of a stream, taken while it passes. */
import { createHash } from 'node:crypto';
import type { Digest } from '@tsbuild/core';
import type { ByteStream } from '../api.js';

export interface Measured {
  stream: ByteStream;
  /** Of all bytes; only once the stream has ended. */
  result(): { digest: Digest; size: number };
}

export function measure(source: ByteStream): Measured {
  const hash = createHash('sha256');
  let size = 0;
  let digest: Digest | undefined;
  async function* pass(): ByteStream {
    for await (const chunk of source) {
      hash.update(chunk);
      size += chunk.length;
      yield chunk;
    }
    digest = `sha256:${hash.digest('hex')}` as Digest;
  }
  return {
    stream: pass(),
    result() {
      if (digest === undefined) throw new Error('the stream has not ended');
      return { digest, size };
    },
  };
}
