/**
 * Tar headers as Go's archive/tar writes them, since a layer's digest depends on every byte: plain ustar where that
 * holds all values, else a PAX header before it with a record for each value that does not fit.
 */

/** Type flags of POSIX.1-2001 pax(1), "ustar Interchange Format". */
export const tarType = {
  file: '0',
  hardLink: '1',
  symlink: '2',
  charDevice: '3',
  blockDevice: '4',
  directory: '5',
  fifo: '6',
} as const;

export type TarType = (typeof tarType)[keyof typeof tarType];

export interface TarEntry {
  type: TarType;
  /** Without a leading slash; directories end in one. */
  name: Buffer;
  linkname?: Buffer;
  mode: number;
  uid: number;
  gid: number;
  /** Bytes of data that follow; 0 for all but files. */
  size: number;
  /** Whole seconds since the epoch. */
  mtime: number;
  devMajor?: number;
  devMinor?: number;
  /** Further PAX records, for example SCHILY.xattr.*; each character of a key is one byte (latin1). */
  records?: readonly (readonly [key: string, value: Buffer])[];
}

const blockSize = 512;
const nameSize = 100;
const prefixSize = 155;
const slash = 0x2f;
const none = Buffer.alloc(0);

/** Bytes that fill data of a size up to whole blocks. */
export function paddingOf(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}

/** The header blocks of an entry. @throws RangeError for a value that no tar of this kind can hold */
export function encodeHeader(entry: TarEntry): Buffer {
  const linkname = entry.linkname ?? none;
  const split = splitName(entry.name);
  const records = new Map<string, Buffer>();
  let plain = true;
  const demand = (fits: boolean, key: string, value: Buffer): void => {
    if (fits) return;
    plain = false;
    records.set(key, value);
  };
  const nameIsShort = isAscii(entry.name) && entry.name.length <= nameSize;
  // Like Go, name the whole path in a record once there are records for another reason.
  if (!nameIsShort) records.set('path', entry.name);
  if (!nameIsShort && split === undefined) plain = false;
  demand(isAscii(linkname) && linkname.length <= nameSize, 'linkpath', linkname);
  demand(fitsOctal(8, entry.uid), 'uid', Buffer.from(String(entry.uid)));
  demand(fitsOctal(8, entry.gid), 'gid', Buffer.from(String(entry.gid)));
  demand(fitsOctal(12, entry.size), 'size', Buffer.from(String(entry.size)));
  demand(fitsOctal(12, entry.mtime), 'mtime', Buffer.from(String(entry.mtime)));
  for (const [key, value] of entry.records ?? []) demand(false, key, value);
  if (plain) {
    const [prefix, name] = split ?? [none, entry.name];
    return mainBlock(entry, prefix, name, linkname);
  }
  const main = mainBlock(entry, none, toAscii(entry.name), toAscii(linkname));
  return Buffer.concat([paxHeader(entry.name, records), main]);
}

/** The two zero blocks that end an archive. */
export function endOfArchive(): Buffer {
  return Buffer.alloc(2 * blockSize);
}

function isAscii(bytes: Buffer): boolean {
  return bytes.every((byte) => byte < 0x80);
}

function toAscii(bytes: Buffer): Buffer {
  return isAscii(bytes) ? bytes : Buffer.from(bytes.filter((byte) => byte < 0x80));
}

function fitsOctal(field: number, value: number): boolean {
  return value >= 0 && value < 2 ** (3 * (field - 1));
}

/** Prefix and rest of a long name at a slash where both fit into their fields. */
function splitName(name: Buffer): [prefix: Buffer, rest: Buffer] | undefined {
  if (name.length <= nameSize || !isAscii(name)) return undefined;
  let end = name.length;
  if (end > prefixSize + 1) end = prefixSize + 1;
  else if (name[end - 1] === slash) end--;
  const at = name.subarray(0, end).lastIndexOf(slash);
  const rest = name.length - at - 1;
  if (at <= 0 || rest > nameSize || rest === 0 || at > prefixSize) return undefined;
  return [name.subarray(0, at), name.subarray(at + 1)];
}

function putString(block: Buffer, offset: number, size: number, value: Buffer): void {
  value.copy(block, offset, 0, Math.min(size, value.length));
  if (value.length > size && block[offset + size - 1] === slash) {
    // Some readers take a cut name that ends in a slash for a directory's.
    let end = size - 1;
    while (end > 0 && value[end - 1] === slash) end--;
    block[offset + end] = 0;
  }
}

/** A value that does not fit is written as 0: its PAX record counts. */
function putOctal(block: Buffer, offset: number, size: number, value: number): void {
  const digits = (fitsOctal(size, value) ? value : 0).toString(8).padStart(size - 1, '0');
  block.write(digits, offset, 'latin1');
}

function putChecksum(block: Buffer): void {
  block.write('ustar\u000000', 257, 'latin1');
  block.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of block) sum += byte;
  putOctal(block, 148, 7, sum);
  block[154] = 0;
}

function mainBlock(entry: TarEntry, prefix: Buffer, name: Buffer, linkname: Buffer): Buffer {
  const { devMajor = 0, devMinor = 0 } = entry;
  if (!fitsOctal(8, devMajor) || !fitsOctal(8, devMinor)) {
    throw new RangeError(`device number ${devMajor}:${devMinor} does not fit into a tar header`);
  }
  const block = Buffer.alloc(blockSize);
  putString(block, 0, nameSize, name);
  putOctal(block, 100, 8, entry.mode);
  putOctal(block, 108, 8, entry.uid);
  putOctal(block, 116, 8, entry.gid);
  putOctal(block, 124, 12, entry.size);
  putOctal(block, 136, 12, entry.mtime);
  block.write(entry.type, 156, 'latin1');
  putString(block, 157, nameSize, linkname);
  putOctal(block, 329, 8, devMajor);
  putOctal(block, 337, 8, devMinor);
  putString(block, 345, prefixSize, prefix);
  putChecksum(block);
  return block;
}

/** `LENGTH KEY=VALUE\n`, where the length counts itself. */
function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`, 'latin1'), value, Buffer.from('\n')]);
  let size = rest.length + String(rest.length).length;
  if (String(size).length !== String(rest.length).length) size = rest.length + String(size).length;
  return Buffer.concat([Buffer.from(String(size)), rest]);
}

function paxHeader(name: Buffer, records: ReadonlyMap<string, Buffer>): Buffer {
  const keys = [...records.keys()].sort();
  const data = Buffer.concat(keys.map((key) => paxRecord(key, records.get(key) as Buffer)));
  const block = Buffer.alloc(blockSize);
  const text = toAscii(paxHeaderName(name)).subarray(0, nameSize);
  let end = text.length;
  while (end > 0 && text[end - 1] === slash) end--;
  putString(block, 0, nameSize, text.subarray(0, end));
  for (const offset of [100, 108, 116]) putOctal(block, offset, 8, 0);
  putOctal(block, 124, 12, data.length);
  putOctal(block, 136, 12, 0);
  block.write('x', 156, 'latin1');
  putChecksum(block);
  return Buffer.concat([block, data, Buffer.alloc(paddingOf(data.length))]);
}

/** DIR/PaxHeaders.0/NAME, a directory's name counting as DIR. */
function paxHeaderName(name: Buffer): Buffer {
  const at = name.lastIndexOf(slash) + 1;
  const directory = name.subarray(0, at);
  const file = name.subarray(at);
  return Buffer.concat([
    directory,
    Buffer.from('PaxHeaders.0'),
    file.length > 0 ? Buffer.from('/') : none,
    file,
  ]);
}
