/**
 * Walks the frames of a zstd stream (RFC 8878, 3.1) without decoding: bounds the window a decoder would have to keep,
 * finds where frames end, and that the last one is whole.
 */
import { TsbuildError } from '@tsbuild/core';
import type { ByteStream } from '../api.js';

/** What the zstd program decodes without being asked (ZSTD_WINDOWLOG_LIMIT_DEFAULT 27). */
export const maximumWindow = 1 << 27;

export interface FramePart {
  bytes: Uint8Array;
  /** The frame ends with these bytes. */
  endsFrame: boolean;
  /** Of a frame to be skipped: nothing to decode. */
  skippable: boolean;
}

function broken(why: string): TsbuildError {
  return new TsbuildError('TSB_INTEGRITY_BAD_COMPRESSION', `not a valid zstd stream: ${why}`, {
    hint: 'The layer or file is damaged, or was packed by a faulty tool.',
  });
}

/** What the walk is in the middle of. */
interface Walk {
  inFrame: boolean;
  /** Bytes that follow and need no look: a block's content, a checksum, what is skipped. */
  pass: number;
  /** The frame ends after them. */
  ends: boolean;
  skippable: boolean;
  hasChecksum: boolean;
}

/** @throws TsbuildError TSB_INTEGRITY_BAD_COMPRESSION */
export async function* zstdFrames(source: ByteStream): AsyncGenerator<FramePart> {
  const walk: Walk = { inFrame: false, pass: 0, ends: false, skippable: false, hasChecksum: false };
  let held = Buffer.alloc(0);
  for await (const chunk of source) {
    const data = Buffer.concat([held, chunk]);
    let start = 0;
    let at = 0;
    for (;;) {
      const passed = Math.min(walk.pass, data.length - at);
      at += passed;
      walk.pass -= passed;
      if (walk.pass > 0) break;
      if (walk.ends) {
        yield { bytes: data.subarray(start, at), endsFrame: true, skippable: walk.skippable };
        start = at;
        walk.ends = false;
        walk.inFrame = false;
      }
      const length = walk.inFrame
        ? readBlockHeader(data.subarray(at), walk)
        : readFrameHeader(data.subarray(at), walk);
      if (length === 0) break;
      at += length;
    }
    if (at > start) yield { bytes: data.subarray(start, at), endsFrame: false, skippable: walk.skippable };
    held = data.subarray(at);
  }
  if (held.length > 0 || walk.inFrame) throw broken('it ends in the middle of a frame');
}

/** @returns the header's length, 0 where more bytes are needed */
function readBlockHeader(data: Buffer, walk: Walk): number {
  if (data.length < 3) return 0;
  const header = data.readUIntLE(0, 3);
  const type = (header >> 1) & 3;
  if (type === 3) throw broken('a block of the reserved type');
  walk.ends = (header & 1) === 1;
  // A run-length block holds one byte.
  walk.pass = (type === 1 ? 1 : header >> 3) + (walk.ends && walk.hasChecksum ? 4 : 0);
  return 3;
}

/** @returns the header's length, 0 where more bytes are needed */
function readFrameHeader(data: Buffer, walk: Walk): number {
  if (data.length < 5) return 0;
  const magic = data.readUInt32LE(0);
  if ((magic & 0xfffffff0) >>> 0 === 0x184d2a50) {
    if (data.length < 8) return 0;
    Object.assign(walk, { inFrame: true, skippable: true, pass: data.readUInt32LE(4), ends: true });
    return 8;
  }
  if (magic !== 0xfd2fb528) throw broken('no frame where one should begin');
  const descriptor = data[4] as number;
  const singleSegment = (descriptor & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] as number;
  const sizeCode = descriptor >> 6;
  const sizeBytes = sizeCode === 0 ? (singleSegment ? 1 : 0) : 1 << sizeCode;
  const dictionaryAt = 5 + (singleSegment ? 0 : 1);
  const length = dictionaryAt + dictionaryBytes + sizeBytes;
  if (data.length < length) return 0;
  if (dictionaryBytes > 0 && data.readUIntLE(dictionaryAt, dictionaryBytes) !== 0)
    throw broken('it needs a dictionary');
  const window = singleSegment
    ? contentSize(data, length - sizeBytes, sizeBytes)
    : windowSize(data[5] as number);
  if (window > maximumWindow) throw broken(`it needs a window of more than ${maximumWindow >> 20} MiB`);
  Object.assign(walk, { inFrame: true, skippable: false, hasChecksum: (descriptor & 4) !== 0 });
  return length;
}

/** RFC 8878, 3.1.1.1.2. */
function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

/** RFC 8878, 3.1.1.1.4; the window of a single segment is its content. */
function contentSize(data: Buffer, at: number, bytes: number): number {
  if (bytes === 8) return Number(data.readBigUInt64LE(at));
  return data.readUIntLE(at, bytes) + (bytes === 2 ? 256 : 0);
}
