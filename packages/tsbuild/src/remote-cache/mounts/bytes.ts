/** Numbers and byte strings one after another, each with its length: the tree's encoding. */
import { TsbuildError } from '@tsbuild/core';

export function damaged(why: string): TsbuildError {
  return new TsbuildError('TSB_INTEGRITY_CACHE_MOUNT', `a saved cache mount is damaged: ${why}`, {
    hint: 'It is not used, and replaced by the next build that saves it; delete the cache if the message stays.',
  });
}

export class BytesWriter {
  private bytes = Buffer.allocUnsafe(64 * 1024);
  private end = 0;

  /** A whole number up to 2^53 - 1: seven bits a byte, low ones first, as LEB128 has it. */
  number(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new Error(`cannot encode the number ${value}`);
    this.reserve(8);
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.bytes[this.end++] = (rest % 0x80) | 0x80;
    this.bytes[this.end++] = rest;
  }

  int64(value: bigint): void {
    this.reserve(8);
    this.end = this.bytes.writeBigInt64LE(value, this.end);
  }

  /** Without its length. */
  raw(data: Uint8Array): void {
    this.reserve(data.length);
    this.bytes.set(data, this.end);
    this.end += data.length;
  }

  string(data: Uint8Array): void {
    this.number(data.length);
    this.raw(data);
  }

  finish(): Buffer {
    return this.bytes.subarray(0, this.end);
  }

  private reserve(more: number): void {
    if (this.end + more <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.end + more));
    this.bytes.copy(grown, 0, 0, this.end);
    this.bytes = grown;
  }
}

/** Every method throws TSB_INTEGRITY_CACHE_MOUNT for what is not there or out of bounds. */
export class BytesReader {
  private at = 0;

  constructor(private readonly bytes: Buffer) {}

  /** @param most upper bound, included */
  number(most: number, what: string): number {
    let value = 0;
    for (let factor = 1; ; factor *= 0x80) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw damaged('it is cut short');
      value += (byte & 0x7f) * factor;
      if (value > most) throw damaged(`${what} is too large`);
      if (byte < 0x80) {
        // A number has one form only, so that a tree has one encoding only.
        if (byte === 0 && factor > 1) throw damaged(`${what} is badly encoded`);
        return value;
      }
      if (factor > 2 ** 46) throw damaged(`${what} is too large`);
    }
  }

  int64(): bigint {
    return this.raw(8).readBigInt64LE();
  }

  raw(length: number): Buffer {
    if (length > this.bytes.length - this.at) throw damaged('it is cut short');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  string(most: number, what: string): Buffer {
    return this.raw(this.number(most, `the length of ${what}`));
  }

  /** @throws unless everything was read */
  finish(): void {
    if (this.at !== this.bytes.length) throw damaged('bytes follow its end');
  }
}
