/** What a stream is packed with, by its first bytes: media types and file names are not to be believed. */
import type { ByteStream } from '../api.js';

export type Packing = 'gzip' | 'zstd' | 'xz' | 'bzip2' | 'plain';

/** Bytes that `sniff` needs, where the stream has them. */
export const sniffLength = 6;

/** RFC 1952; RFC 8878 (frames, and skippable frames, which zstd:chunked ends with); xz and bzip2 file formats. */
export function sniff(start: Uint8Array): Packing {
  const at = (index: number) => start[index] ?? -1;
  const matches = (...bytes: number[]) => bytes.every((byte, index) => at(index) === byte);
  if (matches(0x1f, 0x8b)) return 'gzip';
  if (matches(0x28, 0xb5, 0x2f, 0xfd)) return 'zstd';
  if ((at(0) & 0xf0) === 0x50 && at(1) === 0x2a && at(2) === 0x4d && at(3) === 0x18) return 'zstd';
  if (matches(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00)) return 'xz';
  if (matches(0x42, 0x5a, 0x68)) return 'bzip2';
  return 'plain';
}

/** Looks at the first bytes; the returned stream has them all. */
export async function peek(stream: ByteStream): Promise<{ start: Uint8Array; stream: ByteStream }> {
  const iterator = stream[Symbol.asyncIterator]();
  const chunks: Uint8Array[] = [];
  let size = 0;
  let ended = false;
  while (size < sniffLength && !ended) {
    const next = await iterator.next();
    if (next.done) ended = true;
    else {
      chunks.push(next.value);
      size += next.value.length;
    }
  }
  // Not a generator: one that was never started would not pass an early end on to the source.
  const rest: AsyncIterator<Uint8Array> = {
    async next() {
      const first = chunks.shift();
      if (first !== undefined) return { done: false, value: first };
      return ended ? { done: true, value: undefined } : iterator.next();
    },
    async return() {
      chunks.length = 0;
      ended = true;
      await iterator.return?.();
      return { done: true, value: undefined };
    },
  };
  const start = Buffer.concat(chunks).subarray(0, sniffLength);
  return { start, stream: { [Symbol.asyncIterator]: () => rest } };
}
