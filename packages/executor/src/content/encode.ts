/** Structured, length-prefixed fields into a sha256: no two different lists of fields give the same bytes. */
import { createHash } from 'node:crypto';
import type { Digest } from '@tsbuild/core';

const flushAt = 64 * 1024;

export class FieldHash {
  readonly #hash = createHash('sha256');
  #buffer = Buffer.allocUnsafe(flushAt + 16);
  #length = 0;

  number(value: number | bigint): this {
    this.#room(8);
    this.#length = this.#buffer.writeBigUInt64BE(BigInt.asUintN(64, BigInt(value)), this.#length);
    return this;
  }

  bytes(value: Uint8Array): this {
    this.number(value.length);
    if (value.length > flushAt) {
      this.#flush();
      this.#hash.update(value);
      return this;
    }
    this.#room(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /** @param encoding latin1 for raw paths */
  text(value: string, encoding: 'utf8' | 'latin1' = 'utf8'): this {
    return this.bytes(Buffer.from(value, encoding));
  }

  digest(): Digest {
    this.#flush();
    return `sha256:${this.#hash.digest('hex')}` as Digest;
  }

  #room(bytes: number): void {
    if (this.#length + bytes > this.#buffer.length) this.#flush();
  }

  #flush(): void {
    this.#hash.update(this.#buffer.subarray(0, this.#length));
    this.#length = 0;
  }
}
