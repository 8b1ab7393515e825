/** Entries of an image archive, one after another; for archives of images only, whose names are plain. */
import { TsbuildError } from '@tsbuild/core';
import type { ByteStream } from '../api.js';

export interface TarEntry {
  /** Without `./` before and `/` after; never with `..` parts. */
  path: string;
  type: 'file' | 'link';
  /** Bytes of the body. */
  size: number;
  /** What a link points at, as it is written. */
  target?: string;
  /** To be read before the next entry is asked for; what is left of it is skipped. */
  body: ByteStream;
}

const blockSize = 512;
/** Bytes of PAX or GNU headers that are kept in memory. */
const metadataLimit = 1 << 20;
/** Docker's own limit on an image's layers is 127; each has a handful of entries. */
const entryLimit = 100_000;

function broken(why: string): TsbuildError {
  return new TsbuildError('TSB_INTEGRITY_BAD_ARCHIVE', `not a valid tar archive: ${why}`, {
    hint: 'Write the archive again with `docker save`, `skopeo copy` or `tsbuild save`.',
  });
}

/** Bytes by the piece, from a stream of chunks of any size. */
function createReader(source: ByteStream) {
  const iterator = source[Symbol.asyncIterator]();
  let held: Uint8Array = new Uint8Array(0);
  /** The next 1 to `most` bytes; empty at the end. */
  async function some(most: number): Promise<Uint8Array> {
    while (held.length === 0) {
      const next = await iterator.next();
      if (next.done) return held;
      held = next.value;
    }
    const part = held.subarray(0, most);
    held = held.subarray(part.length);
    return part;
  }
  async function exactly(size: number): Promise<Buffer | undefined> {
    const parts: Uint8Array[] = [];
    let have = 0;
    while (have < size) {
      const part = await some(size - have);
      if (part.length === 0) {
        if (have === 0) return undefined;
        throw broken('it ends in the middle of an entry');
      }
      parts.push(part);
      have += part.length;
    }
    return Buffer.concat(parts);
  }
  return { some, exactly, close: async () => void (await iterator.return?.()) };
}

/** Regular files and links; directories are passed over. @throws TsbuildError TSB_INTEGRITY_BAD_ARCHIVE */
export async function* readTar(source: ByteStream): AsyncGenerator<TarEntry> {
  const { Header, Pax } = await import('tar');
  const reader = createReader(source);
  type PaxRecords = InstanceType<typeof Pax>;
  let local: PaxRecords | undefined;
  let global: PaxRecords | undefined;
  let longPath: string | undefined;
  let longTarget: string | undefined;
  try {
    for (let count = 0; ; count += 1) {
      if (count > entryLimit) throw broken(`it has more than ${entryLimit} entries`);
      const block = await reader.exactly(blockSize);
      if (block === undefined) {
        if (count === 0) throw broken('it is empty');
        return;
      }
      const header = decodeHeader(Header, block, local, global);
      if (header.nullBlock) {
        if (count === 0) throw broken('it holds nothing');
        await drain(reader);
        return;
      }
      if (!header.cksumValid) throw broken('the checksum of a header is wrong');
      const size = header.size ?? 0;
      if (!Number.isSafeInteger(size) || size < 0) throw broken(`an entry of size ${size}`);
      if (
        [
          'ExtendedHeader',
          'GlobalExtendedHeader',
          'NextFileHasLongPath',
          'NextFileHasLongLinkpath',
          'OldGnuLongPath',
        ].includes(header.type)
      ) {
        if (size > metadataLimit) throw broken('an extended header is too large');
        const text = ((await reader.exactly(size)) ?? Buffer.alloc(0)).toString('utf8');
        await reader.exactly(padding(size));
        if (header.type === 'ExtendedHeader') local = Pax.parse(text, local);
        else if (header.type === 'GlobalExtendedHeader') global = Pax.parse(text, global, true);
        else if (header.type === 'NextFileHasLongLinkpath') longTarget = text.replace(/\0.*$/s, '');
        else longPath = text.replace(/\0.*$/s, '');
        continue;
      }
      const path = cleanPath(longPath ?? header.path ?? '');
      // The codec does not apply a PAX linkpath to the header.
      const target = local?.linkpath ?? longTarget ?? header.linkpath ?? '';
      local = longPath = longTarget = undefined;
      const left = { bytes: size };
      const isLink = header.type === 'SymbolicLink' || header.type === 'Link';
      if (header.type === 'File' || header.type === 'OldFile' || header.type === 'ContiguousFile') {
        yield { path, type: 'file', size, body: bodyOf(reader, left) };
      } else if (isLink) {
        yield { path, type: 'link', size: 0, target, body: bodyOf(reader, left) };
      }
      while (left.bytes > 0) {
        const part = await reader.some(left.bytes);
        if (part.length === 0) throw broken('it ends in the middle of an entry');
        left.bytes -= part.length;
      }
      await reader.exactly(padding(size));
    }
  } finally {
    await reader.close();
  }
}

type Codec = typeof import('tar');

function decodeHeader(
  Header: Codec['Header'],
  block: Buffer,
  local: InstanceType<Codec['Pax']> | undefined,
  global: InstanceType<Codec['Pax']> | undefined,
): InstanceType<Codec['Header']> {
  try {
    return new Header(block, 0, local, global);
  } catch (error) {
    throw broken((error as Error).message);
  }
}

type Reader = ReturnType<typeof createReader>;

async function* bodyOf(reader: Reader, left: { bytes: number }): ByteStream {
  while (left.bytes > 0) {
    const part = await reader.some(left.bytes);
    if (part.length === 0) throw broken('it ends in the middle of an entry');
    left.bytes -= part.length;
    yield part;
  }
}

/** A writer on a pipe that is not read to its end would die by SIGPIPE. */
async function drain(reader: Reader): Promise<void> {
  while ((await reader.some(1 << 20)).length > 0);
}

function padding(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}

function cleanPath(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw broken(`the path ${JSON.stringify(path)}`);
  return parts.join('/');
}
