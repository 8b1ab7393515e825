/** Buffered input of the synchronous decoders: bytes, and bits with the most significant first. */
import type { Refill } from './decompress.js';

/** The fault is in the data, not in us. */
export class DamagedData extends Error {}

export class ByteReader {
  readonly #refill: Refill;
  readonly #buffer = Buffer.allocUnsafe(64 * 1024);
  #at = 0;
  #end = 0;
  /** Bytes taken so far. */
  position = 0;

  constructor(refill: Refill) {
    this.#refill = refill;
  }

  /** @throws DamagedData at the end of the input */
  byte(): number {
    if (this.#at === this.#end && !this.#more()) throw new DamagedData('unexpected end of data');
    this.position += 1;
    return this.#buffer[this.#at++] as number;
  }

  /** Whether there is no more. */
  atEnd(): boolean {
    return this.#at === this.#end && !this.#more();
  }

  bytes(count: number): Buffer {
    const out = Buffer.allocUnsafe(count);
    for (let done = 0; done < count; ) {
      if (this.#at === this.#end && !this.#more()) throw new DamagedData('unexpected end of data');
      const copied = this.#buffer.copy(out, done, this.#at, Math.min(this.#end, this.#at + count - done));
      this.#at += copied;
      this.position += copied;
      done += copied;
    }
    return out;
  }

  #more(): boolean {
    this.#at = 0;
    this.#end = this.#refill(this.#buffer);
    return this.#end > 0;
  }
}

export class BitReader {
  readonly #bytes: ByteReader;
  #bits = 0;
  #count = 0;

  constructor(bytes: ByteReader) {
    this.#bytes = bytes;
  }

  /** @param count 0 to 24 */
  read(count: number): number {
    while (this.#count < count) {
      this.#bits = ((this.#bits << 8) | this.#bytes.byte()) & 0x7fffffff;
      this.#count += 8;
    }
    this.#count -= count;
    const value = (this.#bits >>> this.#count) & ((1 << count) - 1);
    this.#bits &= (1 << this.#count) - 1;
    return value;
  }

  /** Drops what is left of the current byte. */
  align(): void {
    this.#bits = 0;
    this.#count = 0;
  }
}
