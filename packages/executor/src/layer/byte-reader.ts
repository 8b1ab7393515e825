/** Reads a stream of chunks by exact counts of bytes. */
import { TsbuildError } from '@tsbuild/core';

export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #seen: ((chunk: Uint8Array) => void) | undefined;
  readonly #signal: AbortSignal | undefined;
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;

  /** @param seen told every chunk of the stream once, in order */
  constructor(stream: AsyncIterable<Uint8Array>, signal?: AbortSignal, seen?: (chunk: Uint8Array) => void) {
    this.#source = stream[Symbol.asyncIterator]();
    this.#signal = signal;
    this.#seen = seen;
  }

  /** Some bytes, at most `limit`; undefined at the end of the stream. The buffer is valid until the next call. */
  async some(limit: number): Promise<Buffer | undefined> {
    while (this.#at === this.#chunk.length) if (!(await this.#fill())) return undefined;
    const end = Math.min(this.#chunk.length, this.#at + limit);
    const part = this.#chunk.subarray(this.#at, end);
    this.#at = end;
    return part;
  }

  /**
   * Exactly `size` bytes; undefined where the stream ends before the first of them.
   * @throws TsbuildError TSB_INTEGRITY_BAD_ARCHIVE where it ends in between
   */
  async exactly(size: number): Promise<Buffer | undefined> {
    if (this.#chunk.length - this.#at >= size) {
      this.#at += size;
      return this.#chunk.subarray(this.#at - size, this.#at);
    }
    const parts: Buffer[] = [];
    for (let missing = size; missing > 0; ) {
      const part = await this.some(missing);
      if (part === undefined) {
        if (parts.length === 0) return undefined;
        throw truncated();
      }
      parts.push(Buffer.from(part));
      missing -= part.length;
    }
    return Buffer.concat(parts);
  }

  async skip(size: number): Promise<void> {
    for (let left = size; left > 0; ) {
      const part = await this.some(left);
      if (part === undefined) throw truncated();
      left -= part.length;
    }
  }

  /** Reads what is left, so that all of the stream has been seen. */
  async drain(): Promise<void> {
    this.#at = this.#chunk.length;
    while (await this.#fill());
    this.#at = this.#chunk.length;
  }

  /** Tells the stream that no more is wanted. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }

  async #fill(): Promise<boolean> {
    this.#signal?.throwIfAborted();
    const next = await this.#source.next();
    if (next.done) return false;
    this.#seen?.(next.value);
    this.#chunk = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
    this.#at = 0;
    return true;
  }
}

export function truncated(): TsbuildError {
  return new TsbuildError('TSB_INTEGRITY_BAD_ARCHIVE', 'the archive ends in the middle of an entry', {
    hint: 'The file is cut off; fetch or make it again.',
  });
}
