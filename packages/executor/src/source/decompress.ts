/**
 * Plain bytes of a file that may be compressed: gzip (of several members), bzip2, xz, zstd, told apart by their
 * first bytes as docker does. Nothing of a name counts.
 */
import { read as readCallback, readSync } from 'node:fs';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { Readable } from 'node:stream';
import type { Fd } from '@tsbuild/native';
import { TsbuildError } from '@tsbuild/core';
import { DamagedData } from './bit-reader.js';

const read = promisify(readCallback);

export type Compression = 'none' | 'gzip' | 'bzip2' | 'xz' | 'zstd';

const magics: [Compression, Buffer][] = [
  ['gzip', Buffer.from([0x1f, 0x8b, 0x08])],
  ['bzip2', Buffer.from('BZh')],
  ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])],
  ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
];

export function compressionOf(head: Uint8Array): Compression {
  const start = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  return magics.find(([, magic]) => start.subarray(0, magic.length).equals(magic))?.[0] ?? 'none';
}

/**
 * The decompressed content of a regular file from its start; the descriptor stays open and keeps its position.
 * @throws TsbuildError TSB_INTEGRITY_BAD_ARCHIVE for damaged data, also in the middle
 */
export async function* decompressFile(fd: Fd): AsyncGenerator<Buffer> {
  const head = Buffer.alloc(6);
  const length = readSync(fd, head, 0, head.length, 0);
  const compression = compressionOf(head.subarray(0, length));
  try {
    yield* decoders[compression](fd);
  } catch (cause) {
    if (TsbuildError.is(cause) || !isDataError(cause)) throw cause;
    throw new TsbuildError('TSB_INTEGRITY_BAD_ARCHIVE', `damaged ${compression} data: ${cause.message}`, {
      cause,
    });
  }
}

/** Faults of the data, not of the reading. */
function isDataError(error: unknown): error is Error {
  if (error instanceof DamagedData) return true;
  return (
    error instanceof Error && /^(?:Z_|ZSTD_|ERR_ZSTD_)/.test((error as NodeJS.ErrnoException).code ?? '')
  );
}

const decoders: Record<Compression, (fd: Fd) => AsyncIterable<Buffer>> = {
  none: (fd) => readFrom(fd),
  gzip: (fd) => throughStream(fd, zlib.createGunzip({ chunkSize: 256 * 1024 })),
  zstd: (fd) => unzstd(fd),
  bzip2: (fd) => lazily(async () => (await import('./bzip2.js')).decodeBzip2(readerOf(fd))),
  xz: (fd) => lazily(async () => (await import('./xz.js')).decodeXz(readerOf(fd))),
};

function readFrom(fd: Fd): Readable {
  return Readable.from(chunksOf(fd), { objectMode: false, highWaterMark: 256 * 1024 });
}

/**
 * Not at the file's own position, since the same descriptor may be read twice; and not by fs.createReadStream, which closes
 * the descriptor when its reader stops early, whatever autoClose says.
 */
async function* chunksOf(fd: Fd): AsyncGenerator<Buffer> {
  for (let at = 0; ; ) {
    const buffer = Buffer.allocUnsafe(256 * 1024);
    const { bytesRead } = await read(fd, buffer, 0, buffer.length, at);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}

async function* throughStream(fd: Fd, decoder: zlib.Gunzip): AsyncGenerator<Buffer> {
  const input = readFrom(fd);
  input.on('error', (error) => decoder.destroy(error));
  input.pipe(decoder);
  try {
    yield* decoder as AsyncIterable<Buffer>;
  } finally {
    input.destroy();
    decoder.destroy();
  }
}

async function* unzstd(fd: Fd): AsyncGenerator<Buffer> {
  // Node has had zstd since 22.15.
  const { createZstdDecompress } = zlib as typeof zlib & { createZstdDecompress?: () => zlib.Gunzip };
  if (createZstdDecompress !== undefined) {
    yield* throughStream(fd, createZstdDecompress());
    return;
  }
  const { Decompress } = await import('fzstd');
  let ready: Buffer[] = [];
  const decoder = new Decompress((chunk) => ready.push(Buffer.from(chunk)));
  const push = (chunk: Uint8Array, last: boolean): Buffer[] => {
    ready = [];
    try {
      decoder.push(chunk, last);
    } catch (cause) {
      throw new DamagedData(cause instanceof Error ? cause.message : String(cause), { cause });
    }
    return ready;
  };
  for await (const chunk of readFrom(fd)) yield* push(chunk as Buffer, false);
  yield* push(new Uint8Array(0), true);
}

/** More input into `buffer`; the count of bytes, 0 at the end. */
export type Refill = (buffer: Buffer) => number;

function readerOf(fd: Fd): Refill {
  let position = 0;
  return (buffer) => {
    const count = readSync(fd, buffer, 0, buffer.length, position);
    position += count;
    return count;
  };
}

/** Runs a synchronous decoder so that others get a turn between its chunks. */
async function* lazily(load: () => Promise<Iterable<Buffer>>): AsyncGenerator<Buffer> {
  for (const chunk of await load()) {
    yield chunk;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
