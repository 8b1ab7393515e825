/** zstd by node:zlib where it has it (Node 22.15); for reading alone, the slow fzstd elsewhere. */
import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { TsbuildError } from '@tsbuild/core';
import type { ByteStream } from '../api.js';
import { throughTransform } from './transform.js';
import { zstdFrames, type FramePart } from './zstd-frames.js';

/** What newer versions of node:zlib add; the types of the oldest supported one lack it. */
interface ZstdZlib {
  createZstdCompress?(options: { chunkSize: number; params: Record<number, number> }): Transform;
  createZstdDecompress?(options: { chunkSize: number }): Transform;
  constants: { ZSTD_c_compressionLevel?: number; ZSTD_c_checksumFlag?: number };
}
const native = zlib as unknown as ZstdZlib;

const chunkSize = 1 << 20;

/** Whether this Node can write zstd. */
export const canWriteZstd = native.createZstdCompress !== undefined;

export function zstdUnavailable(): TsbuildError {
  return new TsbuildError(
    'TSB_USAGE_ZSTD_UNAVAILABLE',
    `zstd compression needs Node 22.15 or newer; this is ${process.version}`,
    {
      hint: 'Use a newer Node, or compression=gzip.',
    },
  );
}

/** One frame with a checksum. @param level 1 to 22 @throws TsbuildError TSB_USAGE_ZSTD_UNAVAILABLE */
export function zstd(source: ByteStream, level: number): ByteStream {
  const { ZSTD_c_compressionLevel: levelKey = 0, ZSTD_c_checksumFlag: checksumKey = 0 } = native.constants;
  if (native.createZstdCompress === undefined) throw zstdUnavailable();
  const params = { [levelKey]: level, [checksumKey]: 1 };
  return throughTransform(source, native.createZstdCompress({ chunkSize, params }));
}

/** All frames; skippable ones are passed over. @throws TsbuildError TSB_INTEGRITY_BAD_COMPRESSION */
export async function* unzstd(source: ByteStream): ByteStream {
  const parts = zstdFrames(source);
  try {
    for (;;) {
      const first = await parts.next();
      if (first.done) return;
      if (first.value.skippable) continue;
      const frame = restOfFrame(first.value, parts);
      if (native.createZstdDecompress === undefined) yield* decodeSlowly(frame);
      else yield* throughTransform(frame, native.createZstdDecompress({ chunkSize }));
    }
  } finally {
    await parts.return(undefined);
  }
}

/** One frame's bytes. Ending it early leaves the walk open for who drives it. */
async function* restOfFrame(first: FramePart, parts: AsyncGenerator<FramePart>): ByteStream {
  for (let part = first; ; ) {
    yield part.bytes;
    if (part.endsFrame) return;
    const next = await parts.next();
    if (next.done) return;
    part = next.value;
  }
}

async function* decodeSlowly(frame: ByteStream): ByteStream {
  const { Decompress } = await import('fzstd');
  const decoded: Uint8Array[] = [];
  const decoder = new Decompress((chunk) => decoded.push(chunk));
  try {
    for await (const part of frame) {
      decoder.push(part);
      // fzstd goes on writing into its window: what it hands out has to be copied.
      for (const chunk of decoded.splice(0)) yield Buffer.from(chunk);
    }
  } catch (error) {
    if (TsbuildError.is(error)) throw error;
    throw new TsbuildError(
      'TSB_INTEGRITY_BAD_COMPRESSION',
      `not a valid zstd stream: ${(error as Error).message}`,
      { cause: error },
    );
  }
}
