/**
 * The xz container (https://tukaani.org/xz/xz-file-format.txt) around LZMA2. Filters other than LZMA2 (the
 * branch converters for executables, delta) are refused: no archiver uses them for tar files by default.
 */
import { createHash } from 'node:crypto';
import { ByteReader, DamagedData } from './bit-reader.js';
import { Crc64, crc32 } from './crc.js';
import type { Refill } from './decompress.js';
import { decodeLzma2 } from './lzma2.js';

const streamMagic = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]);
const footerMagic = Buffer.from('YZ');
/** A dictionary is memory; `xz -9` uses 64 MiB. Bytes. */
const maxDictionary = 256 * 1024 * 1024;
const lzma2Filter = 0x21;

/** The content in chunks. @throws DamagedData for damaged data */
export function* decodeXz(refill: Refill): Generator<Buffer> {
  const reader = new ByteReader(refill);
  let head = reader.bytes(streamMagic.length);
  while (true) {
    if (!head.equals(streamMagic)) throw new DamagedData('bad header of an xz stream');
    yield* decodeStream(reader);
    // Streams may follow each other, with zero bytes, four at a time, between and after them.
    let word: Buffer;
    do {
      if (reader.atEnd()) return;
      word = reader.bytes(4);
    } while (word.readUInt32LE(0) === 0);
    head = Buffer.concat([word, reader.bytes(2)]);
  }
}

function* decodeStream(reader: ByteReader): Generator<Buffer> {
  const flags = reader.bytes(2);
  if (crc32(flags) !== reader.bytes(4).readUInt32LE(0))
    throw new DamagedData('wrong checksum of the stream header');
  if (flags[0] !== 0 || (flags[1] as number) > 0x0f) throw new DamagedData('unknown xz flags');
  const check = flags[1] as number;
  const blocks: { unpadded: number; size: number }[] = [];
  for (;;) {
    const sizeByte = reader.byte();
    if (sizeByte === 0) break;
    blocks.push(yield* decodeBlock(reader, sizeByte, check));
  }
  const indexSize = readIndex(reader, blocks);
  const footer = reader.bytes(12);
  if (crc32(footer.subarray(4, 10)) !== footer.readUInt32LE(0))
    throw new DamagedData('wrong checksum of the stream footer');
  if (!footer.subarray(10).equals(footerMagic) || !footer.subarray(8, 10).equals(flags)) {
    throw new DamagedData('bad stream footer');
  }
  if ((footer.readUInt32LE(4) + 1) * 4 !== indexSize) throw new DamagedData('wrong size of the index');
}

function* decodeBlock(
  reader: ByteReader,
  sizeByte: number,
  check: number,
): Generator<Buffer, { unpadded: number; size: number }> {
  const headerSize = (sizeByte + 1) * 4;
  const header = Buffer.concat([Buffer.from([sizeByte]), reader.bytes(headerSize - 1)]);
  if (crc32(header.subarray(0, -4)) !== header.readUInt32LE(headerSize - 4)) {
    throw new DamagedData('wrong checksum of a block header');
  }
  const { dictionary, packedSize, plainSize } = parseBlockHeader(header);
  const start = reader.position;
  const verify = checkOf(check);
  let size = 0;
  for (const chunk of decodeLzma2(reader, dictionary)) {
    size += chunk.length;
    verify.update(chunk);
    yield chunk;
  }
  const packed = reader.position - start;
  if ((packedSize ?? packed) !== packed || (plainSize ?? size) !== size)
    throw new DamagedData('wrong size of a block');
  for (let at = packed; at % 4 !== 0; at += 1)
    if (reader.byte() !== 0) throw new DamagedData('bad padding of a block');
  const stored = reader.bytes(verify.length);
  if (!verify.matches(stored)) throw new DamagedData('wrong checksum of a block');
  return { unpadded: headerSize + packed + verify.length, size };
}

function parseBlockHeader(header: Buffer): { dictionary: number; packedSize?: number; plainSize?: number } {
  const flags = header[1] as number;
  if ((flags & 0x3c) !== 0) throw new DamagedData('unknown block flags');
  let at = 2;
  const next = () => header[at++] ?? 0;
  const packedSize = flags & 0x40 ? readInteger(next) : undefined;
  const plainSize = flags & 0x80 ? readInteger(next) : undefined;
  const filters = (flags & 3) + 1;
  const id = readInteger(next);
  if (filters !== 1 || id !== lzma2Filter)
    throw new DamagedData('xz filters other than LZMA2 are not supported');
  if (readInteger(next) !== 1) throw new DamagedData('bad LZMA2 properties');
  const bits = next();
  if (bits > 40) throw new DamagedData('bad dictionary size');
  const dictionary = bits === 40 ? 0xffffffff : (2 | (bits & 1)) * 2 ** ((bits >> 1) + 11);
  if (dictionary > maxDictionary) throw new DamagedData(`a dictionary of ${dictionary} bytes is too large`);
  return {
    dictionary,
    ...(packedSize !== undefined && { packedSize }),
    ...(plainSize !== undefined && { plainSize }),
  };
}

/** Seven bits a byte, least significant first. */
function readInteger(next: () => number): number {
  let value = 0;
  for (let shift = 0; shift < 63; shift += 7) {
    const byte = next();
    value += (byte & 0x7f) * 2 ** shift;
    if ((byte & 0x80) === 0) {
      if (!Number.isSafeInteger(value)) break;
      return value;
    }
  }
  throw new DamagedData('integer too large');
}

/** Reads the index after its first zero byte and compares it with the blocks; returns its whole size. */
function readIndex(reader: ByteReader, blocks: readonly { unpadded: number; size: number }[]): number {
  const bytes = [0];
  const next = () => {
    const byte = reader.byte();
    bytes.push(byte);
    return byte;
  };
  if (readInteger(next) !== blocks.length) throw new DamagedData('wrong count of blocks');
  for (const { unpadded, size } of blocks) {
    if (readInteger(next) !== unpadded || readInteger(next) !== size)
      throw new DamagedData('index differs from the blocks');
  }
  while (bytes.length % 4 !== 0) if (next() !== 0) throw new DamagedData('bad padding of the index');
  if (crc32(Buffer.from(bytes)) !== reader.bytes(4).readUInt32LE(0))
    throw new DamagedData('wrong checksum of the index');
  return bytes.length + 4;
}

interface Check {
  /** Bytes of the stored value. */
  length: number;
  update(chunk: Buffer): void;
  matches(stored: Buffer): boolean;
}

/** By the id in the stream header; the sizes of unknown ones are known, so that they can be passed over. */
function checkOf(id: number): Check {
  if (id === 1) {
    let crc = 0;
    return {
      length: 4,
      update: (chunk) => {
        crc = crc32(chunk, crc);
      },
      matches: (stored) => stored.readUInt32LE(0) === crc,
    };
  }
  if (id === 4) {
    const crc = new Crc64();
    return {
      length: 8,
      update: (chunk) => crc.update(chunk),
      matches: (stored) => crc.digest().equals(stored),
    };
  }
  if (id === 10) {
    const hash = createHash('sha256');
    return {
      length: 32,
      update: (chunk) => hash.update(chunk),
      matches: (stored) => hash.digest().equals(stored),
    };
  }
  const length = id === 0 ? 0 : 4 * 2 ** Math.floor((id - 1) / 3);
  return { length, update: () => undefined, matches: () => true };
}
