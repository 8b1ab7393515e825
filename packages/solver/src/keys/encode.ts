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
  const parts: Buffer[] = [];
  write(value, parts);
  return Buffer.concat(parts);
}

/** sha256 of the encoding. */
export function digestOf(value: Encodable): Digest {
  return sha256(encode(value));
}

function write(value: Encodable, parts: Buffer[]): void {
  if (value === null || value === undefined) {
    parts.push(Buffer.from('0'));
  } else if (typeof value === 'boolean') {
    parts.push(Buffer.from(value ? 't' : 'f'));
  } else if (typeof value === 'number') {
    writeText('n', String(value), parts);
  } else if (typeof value === 'string') {
    writeText('s', value, parts);
  } else if (isList(value)) {
    parts.push(Buffer.from(`a${value.length}:`));
    for (const item of value) write(item, parts);
  } else {
    const names = Object.keys(value).filter((name) => value[name] !== undefined);
    parts.push(Buffer.from(`o${names.length}:`));
    for (const name of names.sort()) {
      writeText('s', name, parts);
      write(value[name], parts);
    }
  }
}

/** Text that is no well-formed UTF-16 has no UTF-8 of its own and is written in 16-bit units. */
function writeText(tag: string, text: string, parts: Buffer[]): void {
  const wellFormed = !/\p{Surrogate}/u.test(text);
  const bytes = Buffer.from(text, wellFormed ? 'utf8' : 'utf16le');
  parts.push(Buffer.from(`${wellFormed ? tag : 'u'}${bytes.length}:`), bytes);
}

function isList(value: object): value is readonly Encodable[] {
  return Array.isArray(value);
}
