/**
 * The structured encoding that keys are hashes of. Every value is tagged and carries its length or count, so two
 * different values never have the same bytes. Not a wire format: only ever hashed.
 */
import { type Digest, sha256 } from '@tsbuild/core';

/** Plain data. Members that are undefined count as absent; members are ordered by name, arrays as they are. */
export type Encodable =
  | null
  | boolean
  | number
  | string
  | undefined
  | readonly Encodable[]
  | { readonly [name: string]: Encodable };

export function encode(value: Encodable): Buffer {
  const writer = new Writer();
  writer.write(value);
  return writer.bytes();
}

/** sha256 of the encoding. */
export function digestOf(value: Encodable): Digest {
  return sha256(encode(value));
}

/** Gathers text and makes bytes of it at one go: values are many and short. */
class Writer {
  readonly #parts: Buffer[] = [];
  #text = '';

  write(value: Encodable): void {
    if (value === null || value === undefined) {
      this.#text += '0';
    } else if (typeof value === 'boolean') {
      this.#text += value ? 't' : 'f';
    } else if (typeof value === 'number') {
      this.#tagged('n', String(value));
    } else if (typeof value === 'string') {
      this.#tagged('s', value);
    } else if (isList(value)) {
      this.#text += `a${value.length}:`;
      for (const item of value) this.write(item);
    } else {
      const names = Object.keys(value).filter((name) => value[name] !== undefined);
      this.#text += `o${names.length}:`;
      for (const name of names.sort()) {
        this.#tagged('s', name);
        this.write(value[name]);
      }
    }
  }

  bytes(): Buffer {
    this.#flush();
    const [only] = this.#parts;
    return only !== undefined && this.#parts.length === 1 ? only : Buffer.concat(this.#parts);
  }

  /** Text that is no well-formed UTF-16 has no UTF-8 of its own and is written in 16-bit units. */
  #tagged(tag: string, text: string): void {
    if (!/\p{Surrogate}/u.test(text)) {
      this.#text += `${tag}${Buffer.byteLength(text)}:${text}`;
      return;
    }
    const bytes = Buffer.from(text, 'utf16le');
    this.#text += `u${bytes.length}:`;
    this.#flush();
    this.#parts.push(bytes);
  }

  #flush(): void {
    if (this.#text !== '') this.#parts.push(Buffer.from(this.#text));
    this.#text = '';
  }
}

function isList(value: object): value is readonly Encodable[] {
  return Array.isArray(value);
}
