/** Any packed stream as plain bytes. */
import { createGunzip } from 'node:zlib';
import { TsbuildError } from '@tsbuild/core';
import type { ByteStream } from '../api.js';
import { peek, sniff } from './sniff.js';
import { throughTransform } from './transform.js';
import { unzstd } from './zstd.js';

/** With Node's default of 16 KiB half the speed is lost. */
const chunkSize = 1 << 20;

export interface DecompressOptions {
  /** Most bytes that may come out: what a bomb is stopped by. */
  limit?: number;
}

/**
 * gzip (all members), zstd (all frames) or plain, told by the first bytes.
 * @throws TsbuildError TSB_INTEGRITY_BAD_COMPRESSION, TSB_INTEGRITY_SIZE past the limit, TSB_USAGE_COMPRESSION for xz and bzip2
 */
export async function* decompress(source: ByteStream, options: DecompressOptions = {}): ByteStream {
  const { start, stream } = await peek(source);
  const packing = sniff(start);
  let plain: ByteStream = stream;
  if (packing === 'gzip') plain = throughTransform(stream, createGunzip({ chunkSize }));
  else if (packing === 'zstd') plain = unzstd(stream);
  else if (packing !== 'plain') {
    await stream[Symbol.asyncIterator]().return?.();
    throw new TsbuildError(
      'TSB_USAGE_COMPRESSION',
      `layers packed with ${packing} are not part of the OCI image spec`,
      {
        hint: `Unpack it first with ${packing} -d, or pack it with gzip or zstd.`,
      },
    );
  }
  let size = 0;
  for await (const chunk of plain) {
    size += chunk.length;
    if (options.limit !== undefined && size > options.limit) {
      throw new TsbuildError(
        'TSB_INTEGRITY_SIZE',
        `the unpacked data is larger than ${options.limit} bytes`,
        {
          hint: 'Compressed data that grows without end is an attack or a fault of its source.',
        },
      );
    }
    yield chunk;
  }
}
