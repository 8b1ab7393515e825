/**
 * gzip on all cores of the libuv pool, as one ordinary member (RFC 1952): blocks of a fixed size, each deflated by
 * itself with the end of the block before it as its dictionary and ended on a byte boundary by a sync flush, joined.
 * The blocks do not depend on the number of cores, so neither do the bytes.
 */
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { constants, crc32, deflateRaw, type ZlibOptions } from 'node:zlib';
import type { ByteStream } from '../api.js';

const blockSize = 1 << 20;
/** Deflate looks back no further (RFC 1951, 3.2.5). */
const windowSize = 32 << 10;
/** ID, CM deflate, no flags, mtime 0, XFL 0, OS 255 (unknown). */
const header = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);

const deflate = promisify<Buffer, ZlibOptions, Buffer>(deflateRaw);

/** @param level 0 (store) to 9 */
export async function* gzip(source: ByteStream, level: number): ByteStream {
  const ahead = availableParallelism() + 1;
  /** Blocks being deflated, oldest first. */
  const running: Promise<Buffer>[] = [];
  let crc = 0;
  let size = 0;
  let dictionary: Buffer | undefined;

  const start = (block: Buffer, isLast: boolean): void => {
    const options: ZlibOptions = {
      level,
      chunkSize: Math.max(1 << 14, block.length),
      finishFlush: isLast ? constants.Z_FINISH : constants.Z_SYNC_FLUSH,
      ...(dictionary === undefined || level === 0 ? {} : { dictionary }),
    };
    const work = deflate(block, options);
    // A failure is seen when the block's turn comes; until then it must not count as unhandled.
    work.catch(() => undefined);
    running.push(work);
    crc = crc32(block, crc);
    size += block.length;
    if (block.length > 0) dictionary = block.subarray(-windowSize);
  };

  yield header;
  for await (const block of blocks(source)) {
    start(block.bytes, block.isLast);
    if (running.length >= ahead) yield (await running.shift()) as Buffer;
  }
  for (const work of running) yield await work;
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc, 0);
  trailer.writeUInt32LE(size % 2 ** 32, 4);
  yield trailer;
}

/** Whole blocks, then the rest (maybe empty) as the last one. */
async function* blocks(source: ByteStream): AsyncGenerator<{ bytes: Buffer; isLast: boolean }> {
  let block = Buffer.allocUnsafe(blockSize);
  let filled = 0;
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; ) {
      if (filled === blockSize) {
        yield { bytes: block, isLast: false };
        block = Buffer.allocUnsafe(blockSize);
        filled = 0;
      }
      const part = chunk.subarray(at, at + blockSize - filled);
      block.set(part, filled);
      filled += part.length;
      at += part.length;
    }
  }
  yield { bytes: block.subarray(0, filled), isLast: true };
}
