/** A Node transform as a step between byte streams: errors and early ends go both ways, nothing stays open. */
import { Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TsbuildError } from '@tsbuild/core';
import type { ByteStream } from '../api.js';

export async function* throughTransform(source: ByteStream, transform: Transform): ByteStream {
  const failure: { error?: unknown } = {};
  const feeding = pipeline(Readable.from(source, { objectMode: true, highWaterMark: 1 }), transform).catch(
    (error: unknown) => {
      failure.error = error;
    },
  );
  try {
    for await (const chunk of transform as AsyncIterable<Buffer>) yield chunk;
  } catch (error) {
    await feeding;
    throw explain(failure.error ?? error);
  } finally {
    transform.destroy();
    await feeding;
  }
}

/** Faults of the packed data have codes of zlib's; faults of the source stay what they are. */
function explain(error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (TsbuildError.is(error) || typeof code !== 'string' || !/^(Z_|ZSTD_)/.test(code)) return error;
  return new TsbuildError('TSB_INTEGRITY_BAD_COMPRESSION', `cannot unpack the compressed data: ${message}`, {
    hint: 'The layer or file is damaged, or was packed by a faulty tool.',
    cause: error,
  });
}
