/**
 * Reads tar archives: ustar, pax (POSIX.1-2001) and GNU's extensions (long names, base-256 numbers, sparse files).
 * Header blocks are decoded by the tar package; names, extended records and sparse maps, which it would decode as
 * text or drop, are read here as bytes.
 */
import { TsbuildError } from '@tsbuild/core';
import { Header } from 'tar';
import type { ByteReader } from './byte-reader.js';
import { truncated } from './byte-reader.js';

export type ReadType = 'file' | 'hardlink' | 'symlink' | 'char' | 'block' | 'directory' | 'fifo';

export interface ReadEntry {
  type: ReadType;
  /** As in the archive. */
  name: Buffer;
  linkname: Buffer;
  mode: number;
  uid: number;
  gid: number;
  /** Bytes of the file once written. */
  size: number;
  mtimeNs: bigint;
  devMajor: number;
  devMinor: number;
  xattrs: { name: string; value: Buffer }[];
  /** Where the data goes, for sparse files; else all of it at 0. */
  segments: Segment[];
}

export interface Segment {
  offset: number;
  length: number;
}

const block = 512;
/** Longest extended header that is read; longer ones are an attack or damage. */
const maxExtended = 1024 * 1024;
const maxSegments = 1_000_000;

const typesByFlag: Record<string, ReadType> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  S: 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
};

type Records = Map<string, Buffer>;

/**
 * The entries in order. After each, the caller has to take its data from the reader: exactly the sum of the segments'
 * lengths; padding is skipped here.
 * @throws TsbuildError TSB_INTEGRITY_BAD_ARCHIVE
 */
export async function* readTar(reader: ByteReader): AsyncGenerator<ReadEntry> {
  const global: Records = new Map();
  let records: Records = new Map();
  let longName: Buffer | undefined;
  let longLink: Buffer | undefined;
  for (;;) {
    const bytes = await reader.exactly(block);
    if (bytes === undefined) return;
    if (bytes.every((byte) => byte === 0)) {
      // One zero block is enough; what follows is padding.
      return;
    }
    const head = Buffer.from(bytes);
    const header = decode(head);
    const flag = String.fromCharCode(head[156] as number);
    const size = header.size ?? 0;
    if (flag === 'x' || flag === 'g' || flag === 'X') {
      const into = flag === 'g' ? global : records;
      for (const [key, value] of parseRecords(await extended(reader, size))) into.set(key, value);
      continue;
    }
    if (flag === 'L' || flag === 'K') {
      const text = cString(await extended(reader, size));
      if (flag === 'L') longName = text;
      else longLink = text;
      continue;
    }
    const type = typesByFlag[flag];
    if (type === undefined) {
      await reader.skip(padded(size));
    } else {
      const entry = makeEntry(head, header, type, new Map([...global, ...records]), longName, longLink);
      const stored = storedSize(entry, header, records, global);
      const read = await sparseMap(reader, head, flag, entry, records, stored);
      yield entry;
      await reader.skip(read.padding);
    }
    records = new Map();
    longName = undefined;
    longLink = undefined;
  }
}

function bad(what: string): TsbuildError {
  return new TsbuildError('TSB_INTEGRITY_BAD_ARCHIVE', `the archive is damaged: ${what}`, {
    hint: 'Fetch or make it again.',
  });
}

function decode(head: Buffer): Header {
  let header: Header;
  try {
    header = new Header(head, 0);
  } catch (error) {
    throw bad((error as Error).message);
  }
  if (!header.cksumValid) throw bad('a header has a wrong checksum');
  // A size that cannot be read would make data of what follows.
  const isBlank = head.subarray(124, 136).every((byte) => byte === 0 || byte === 0x20);
  if (header.size === undefined && !isBlank) throw bad('a header has no valid size');
  return header;
}

function padded(size: number): number {
  return Math.ceil(size / block) * block;
}

async function extended(reader: ByteReader, size: number): Promise<Buffer> {
  if (size > maxExtended) throw bad(`an extended header of ${size} bytes`);
  const data = await reader.exactly(padded(size));
  if (data === undefined && size > 0) throw truncated();
  return Buffer.from((data ?? Buffer.alloc(0)).subarray(0, size));
}

/** Records `LENGTH KEY=VALUE\n`; the length counts the whole record in bytes. */
function parseRecords(data: Buffer): Records {
  const records: Records = new Map();
  const sparse: string[] = [];
  for (let at = 0; at < data.length; ) {
    const blank = data.indexOf(0x20, at);
    const length = Number(data.toString('latin1', at, blank));
    const end = at + length;
    const equals = data.indexOf(0x3d, blank);
    const valid =
      blank > at && Number.isSafeInteger(length) && end <= data.length && equals > blank && equals < end;
    if (!valid || data[end - 1] !== 0x0a) throw bad('a pax record has a wrong length');
    // Names of attributes are bytes, and all other keys are ASCII.
    const key = data.toString('latin1', blank + 1, equals);
    const value = data.subarray(equals + 1, end - 1);
    // Sparse format 0.0 repeats these two; 0.1 has the same numbers as one list.
    if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') sparse.push(value.toString('latin1'));
    else records.set(key, value);
    at = end;
  }
  if (sparse.length > 0) records.set('GNU.sparse.map', Buffer.from(sparse.join(',')));
  return records;
}

function cString(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end));
}

function makeEntry(
  head: Buffer,
  header: Header,
  type: ReadType,
  records: Records,
  longName: Buffer | undefined,
  longLink: Buffer | undefined,
): ReadEntry {
  const name = text(records, 'GNU.sparse.name') ?? text(records, 'path') ?? longName ?? headerName(head);
  const isDirectory = type === 'file' && name.at(-1) === 0x2f;
  return {
    type: isDirectory ? 'directory' : type,
    name,
    linkname: text(records, 'linkpath') ?? longLink ?? cString(head.subarray(157, 257)),
    mode: (header.mode ?? 0) & 0o7777,
    uid: integer(records, 'uid') ?? header.uid ?? 0,
    gid: integer(records, 'gid') ?? header.gid ?? 0,
    size: 0,
    mtimeNs: nanoseconds(records.get('mtime')) ?? secondsOf(header) * 1_000_000_000n,
    // Not the codec's: it leaves GNU's format out.
    devMajor: octal(head, 329, 8),
    devMinor: octal(head, 337, 8),
    xattrs: xattrsOf(records),
    segments: [],
  };
}

function secondsOf(header: Header): bigint {
  const milliseconds = header.mtime?.getTime() ?? 0;
  return BigInt(Math.floor((Number.isFinite(milliseconds) ? milliseconds : 0) / 1000));
}

/** An empty record means the header's own value. A NUL cannot be in a name: what follows it would be lost. */
function text(records: Records, key: string): Buffer | undefined {
  const value = records.get(key);
  if (value?.includes(0) === true) throw bad(`a NUL byte in ${key}`);
  return value === undefined || value.length === 0 ? undefined : value;
}

function headerName(head: Buffer): Buffer {
  const name = cString(head.subarray(0, 100));
  const isUstar = head.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = isUstar ? cString(head.subarray(345, 500)) : Buffer.alloc(0);
  return prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from('/'), name]);
}

function integer(records: Records, key: string): number | undefined {
  const text = records.get(key)?.toString('latin1');
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw bad(`${key} ${JSON.stringify(text)}`);
  return value;
}

/** Seconds with a fraction, possibly before 1970. */
function nanoseconds(value: Buffer | undefined): bigint | undefined {
  if (value === undefined || value.length === 0) return undefined;
  const match = /^(-?)(\d{1,18})(?:\.(\d*))?$/.exec(value.toString('latin1'));
  if (match === null) throw bad(`time ${JSON.stringify(value.toString())}`);
  const fraction = BigInt((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  const total = BigInt(match[2] ?? '0') * 1_000_000_000n + fraction;
  return match[1] === '-' ? -total : total;
}

function xattrsOf(records: Records): { name: string; value: Buffer }[] {
  const found = new Map<string, Buffer>();
  for (const [key, value] of records) {
    if (key.startsWith('SCHILY.xattr.')) found.set(key.slice('SCHILY.xattr.'.length), value);
    else if (key.startsWith('LIBARCHIVE.xattr.')) {
      const name = decodePercent(key.slice('LIBARCHIVE.xattr.'.length));
      if (!found.has(name)) found.set(name, Buffer.from(value.toString('latin1'), 'base64'));
    }
  }
  return [...found].map(([name, value]) => ({ name, value }));
}

function decodePercent(text: string): string {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) throw bad(`the attribute name ${JSON.stringify(text)}`);
  return text.replace(/%(..)/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}

/** Bytes of data in the archive. Only files have any. */
function storedSize(entry: ReadEntry, header: Header, records: Records, global: Records): number {
  const size = integer(records, 'size') ?? integer(global, 'size') ?? header.size ?? 0;
  return entry.type === 'file' ? size : 0;
}

/** Fills size and segments in; reads the map where it stands in the data. Returns the padding after the data. */
async function sparseMap(
  reader: ByteReader,
  head: Buffer,
  flag: string,
  entry: ReadEntry,
  records: Records,
  stored: number,
): Promise<{ padding: number }> {
  let data = stored;
  entry.size = stored;
  if (flag === 'S') {
    entry.segments = await oldGnuMap(reader, head);
    entry.size = octal(head, 483, 12);
  } else if (records.get('GNU.sparse.major')?.toString() === '1') {
    const { segments, read } = await dataMap(reader, stored);
    entry.segments = segments;
    data -= read;
    entry.size = integer(records, 'GNU.sparse.realsize') ?? 0;
  } else if (records.has('GNU.sparse.map')) {
    const numbers = records.get('GNU.sparse.map')?.toString().split(',').map(Number) ?? [];
    entry.segments = pairs(numbers);
    entry.size = integer(records, 'GNU.sparse.size') ?? 0;
  } else if (stored > 0) {
    entry.segments = [{ offset: 0, length: stored }];
  }
  checkSegments(entry, data);
  return { padding: padded(stored) - stored };
}

function checkSegments(entry: ReadEntry, data: number): void {
  let end = 0;
  let sum = 0;
  for (const { offset, length } of entry.segments) {
    if (!(offset >= end) || !(length >= 0) || !Number.isSafeInteger(offset + length))
      throw bad('a sparse map');
    end = offset + length;
    sum += length;
  }
  if (end > entry.size || sum !== data) throw bad('a sparse map that does not fit its file');
}

function pairs(numbers: readonly number[]): Segment[] {
  const segments: Segment[] = [];
  for (let i = 0; i + 1 < numbers.length; i += 2) {
    segments.push({ offset: numbers[i] as number, length: numbers[i + 1] as number });
  }
  if (segments.length > maxSegments) throw bad('a sparse map of too many pieces');
  return segments.filter(({ length }) => length > 0);
}

function octal(bytes: Buffer, offset: number, length: number): number {
  const first = bytes[offset] as number;
  if (first & 0x80) {
    let value = first & 0x7f;
    for (let i = 1; i < length; i += 1) value = value * 256 + (bytes[offset + i] as number);
    return value;
  }
  const value = Number.parseInt(bytes.toString('latin1', offset, offset + length), 8);
  return Number.isNaN(value) ? 0 : value;
}

/** GNU's old format: four pieces in the header, 21 in each block that follows. */
async function oldGnuMap(reader: ByteReader, head: Buffer): Promise<Segment[]> {
  const numbers: number[] = [];
  const take = (bytes: Buffer, offset: number, count: number) => {
    for (let i = 0; i < count; i += 1) {
      const at = offset + i * 24;
      if (bytes[at] === 0) continue;
      numbers.push(octal(bytes, at, 12), octal(bytes, at + 12, 12));
    }
  };
  take(head, 386, 4);
  for (let more = head[482] !== 0; more; ) {
    const bytes = await reader.exactly(block);
    if (bytes === undefined) throw truncated();
    take(bytes, 0, 21);
    more = bytes[504] !== 0;
    if (numbers.length > 2 * maxSegments) throw bad('a sparse map of too many pieces');
  }
  return pairs(numbers);
}

/** Format 1.0: decimal numbers, one a line, before the data, padded to whole blocks. */
async function dataMap(reader: ByteReader, stored: number): Promise<{ segments: Segment[]; read: number }> {
  let text = '';
  let read = 0;
  for (;;) {
    const lines = text.split('\n');
    const count = Number(lines[0]);
    if (lines.length > 1 && (!Number.isSafeInteger(count) || count < 0 || count > maxSegments))
      throw bad('a sparse map');
    if (lines.length > 1 && lines.length > 1 + 2 * count) {
      return { segments: pairs(lines.slice(1, 1 + 2 * count).map(Number)), read };
    }
    const bytes = read < stored ? await reader.exactly(block) : undefined;
    if (bytes === undefined) throw truncated();
    read += block;
    text += bytes.toString('latin1');
  }
}
