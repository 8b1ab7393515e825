/**
 * bzip2 decompression, written after the format's description
 * (https://github.com/dsnet/compress/blob/master/doc/bzip2-format.pdf). Several streams in a row are one.
 */
import { BitReader, ByteReader, DamagedData } from './bit-reader.js';
import type { Refill } from './decompress.js';

const blockMagic = [0x314159, 0x265359];
const endMagic = [0x177245, 0x385090];
const maxCodeLength = 20;
const groupSize = 50;

/** The content, one chunk for each block. @throws DamagedData for damaged data */
export function* decodeBzip2(refill: Refill): Generator<Buffer> {
  const bytes = new ByteReader(refill);
  for (let streams = 0; streams === 0 || !bytes.atEnd(); streams += 1) {
    const bits = new BitReader(bytes);
    if (bits.read(24) !== 0x425a68) {
      // As bzip2 does, bytes after the last stream that are no stream are not an error.
      if (streams > 0) return;
      throw new DamagedData('not bzip2 data');
    }
    const level = bits.read(8) - 0x30;
    if (level < 1 || level > 9) throw new DamagedData('bad block size');
    yield* decodeStream(bits, level * 100_000);
  }
}

function* decodeStream(bits: BitReader, blockSize: number): Generator<Buffer> {
  let streamCrc = 0;
  for (;;) {
    const magic = [bits.read(24), bits.read(24)];
    const crc = readCrc(bits);
    if (magic[0] === endMagic[0] && magic[1] === endMagic[1]) {
      if (crc !== streamCrc) throw new DamagedData('wrong checksum of the stream');
      bits.align();
      return;
    }
    if (magic[0] !== blockMagic[0] || magic[1] !== blockMagic[1]) throw new DamagedData('bad block header');
    const data = decodeBlock(bits, blockSize);
    if (crcOf(data) !== crc) throw new DamagedData('wrong checksum of a block');
    streamCrc = (((streamCrc << 1) | (streamCrc >>> 31)) ^ crc) >>> 0;
    yield data;
  }
}

function readCrc(bits: BitReader): number {
  return ((bits.read(16) << 16) | bits.read(16)) >>> 0;
}

function decodeBlock(bits: BitReader, blockSize: number): Buffer {
  if (bits.read(1) !== 0) throw new DamagedData('randomised blocks are not supported');
  const origin = bits.read(24);
  const symbols = readSymbolMap(bits);
  const tableCount = bits.read(3);
  if (tableCount < 2 || tableCount > 6) throw new DamagedData('bad count of tables');
  const selectors = readSelectors(bits, tableCount);
  const tables = Array.from({ length: tableCount }, () => readTable(bits, symbols.length + 2));
  const { columns, length, counts } = readSymbols(bits, symbols, selectors, tables, blockSize);
  if (origin >= length) throw new DamagedData('bad start of the block');
  return undoRuns(undoTransform(columns, length, counts, origin));
}

/** Byte values in use, as two levels of bit maps. */
function readSymbolMap(bits: BitReader): number[] {
  const rows = bits.read(16);
  const symbols: number[] = [];
  for (let row = 0; row < 16; row += 1) {
    if (!(rows & (0x8000 >> row))) continue;
    const columns = bits.read(16);
    for (let column = 0; column < 16; column += 1) {
      if (columns & (0x8000 >> column)) symbols.push(row * 16 + column);
    }
  }
  if (symbols.length === 0) throw new DamagedData('block without symbols');
  return symbols;
}

function readSelectors(bits: BitReader, tableCount: number): Uint8Array {
  const selectors = new Uint8Array(bits.read(15));
  if (selectors.length === 0) throw new DamagedData('block without selectors');
  const recent = Array.from({ length: tableCount }, (_, index) => index);
  for (let i = 0; i < selectors.length; i += 1) {
    let position = 0;
    while (bits.read(1) === 1) {
      position += 1;
      if (position >= tableCount) throw new DamagedData('bad selector');
    }
    const [table] = recent.splice(position, 1) as [number];
    recent.unshift(table);
    selectors[i] = table;
  }
  return selectors;
}

/** A canonical Huffman code: for each length, the largest code and where its symbols start. */
interface Table {
  limits: Int32Array;
  offsets: Int32Array;
  symbols: Uint16Array;
  shortest: number;
}

function readTable(bits: BitReader, symbolCount: number): Table {
  const lengths = new Uint8Array(symbolCount);
  let length = bits.read(5);
  for (let i = 0; i < symbolCount; i += 1) {
    for (;;) {
      if (length < 1 || length > maxCodeLength) throw new DamagedData('bad code length');
      if (bits.read(1) === 0) break;
      length += bits.read(1) === 0 ? 1 : -1;
    }
    lengths[i] = length;
  }
  const limits = new Int32Array(maxCodeLength + 2).fill(-1);
  const offsets = new Int32Array(maxCodeLength + 2);
  const symbols = new Uint16Array(symbolCount);
  let code = 0;
  let filled = 0;
  let shortest = maxCodeLength;
  for (let size = 1; size <= maxCodeLength; size += 1) {
    const first = filled;
    for (let symbol = 0; symbol < symbolCount; symbol += 1) {
      if (lengths[symbol] === size) symbols[filled++] = symbol;
    }
    offsets[size] = first - code;
    code += filled - first;
    if (filled > first) {
      limits[size] = code - 1;
      shortest = Math.min(shortest, size);
    }
    if (code > 1 << size) throw new DamagedData('bad code lengths');
    code <<= 1;
  }
  return { limits, offsets, symbols, shortest };
}

function readSymbol(bits: BitReader, table: Table): number {
  let length = table.shortest;
  let code = bits.read(length);
  while (code > (table.limits[length] as number)) {
    length += 1;
    if (length > maxCodeLength) throw new DamagedData('bad code');
    code = (code << 1) | bits.read(1);
  }
  return table.symbols[code + (table.offsets[length] as number)] as number;
}

/** Huffman, zero runs and move-to-front: the last column of the Burrows-Wheeler matrix. */
function readSymbols(
  bits: BitReader,
  symbols: number[],
  selectors: Uint8Array,
  tables: Table[],
  blockSize: number,
): { columns: Uint32Array; length: number; counts: Uint32Array } {
  const columns = new Uint32Array(blockSize);
  const counts = new Uint32Array(256);
  const recent = [...symbols];
  const endOfBlock = symbols.length + 1;
  let length = 0;
  let run = 0;
  let runBit = 1;
  let group = 0;
  let left = 0;
  let table = tables[0] as Table;
  for (;;) {
    if (left === 0) {
      if (group >= selectors.length) throw new DamagedData('too few selectors');
      table = tables[selectors[group++] as number] as Table;
      left = groupSize;
    }
    left -= 1;
    const symbol = readSymbol(bits, table);
    if (symbol <= 1) {
      run += runBit << symbol;
      runBit <<= 1;
      if (run > blockSize) throw new DamagedData('run longer than the block');
      continue;
    }
    if (run > 0) {
      const value = recent[0] as number;
      if (length + run > blockSize) throw new DamagedData('block too long');
      columns.fill(value, length, length + run);
      counts[value] = (counts[value] as number) + run;
      length += run;
      run = 0;
      runBit = 1;
    }
    if (symbol === endOfBlock) return { columns, length, counts };
    if (length >= blockSize) throw new DamagedData('block too long');
    const [value] = recent.splice(symbol - 1, 1) as [number];
    recent.unshift(value);
    columns[length++] = value;
    counts[value] = (counts[value] as number) + 1;
  }
}

/** Inverse Burrows-Wheeler: the low byte of each entry is its character, the rest where the next one stands. */
function undoTransform(columns: Uint32Array, length: number, counts: Uint32Array, origin: number): Buffer {
  const next = new Uint32Array(256);
  for (let value = 0, sum = 0; value < 256; value += 1) {
    next[value] = sum;
    sum += counts[value] as number;
  }
  for (let i = 0; i < length; i += 1) {
    const value = (columns[i] as number) & 0xff;
    const at = next[value] as number;
    next[value] = at + 1;
    columns[at] = (columns[at] as number) | (i << 8);
  }
  const out = Buffer.allocUnsafe(length);
  let entry = columns[origin] as number;
  for (let i = 0; i < length; i += 1) {
    entry = columns[entry >>> 8] as number;
    out[i] = entry & 0xff;
  }
  return out;
}

/** After four equal bytes comes a count of more of them. */
function undoRuns(data: Buffer): Buffer {
  let size = 0;
  eachRun(data, (_value, count) => {
    size += count;
  });
  const out = Buffer.allocUnsafe(size);
  let at = 0;
  eachRun(data, (value, count) => {
    if (count === 1) out[at] = value;
    else out.fill(value, at, at + count);
    at += count;
  });
  return out;
}

function eachRun(data: Buffer, take: (value: number, count: number) => void): void {
  let equal = 0;
  let previous = -1;
  for (let i = 0; i < data.length; i += 1) {
    const value = data[i] as number;
    if (equal === 4) {
      if (value > 0) take(previous, value);
      equal = 0;
      previous = -1;
      continue;
    }
    equal = value === previous ? equal + 1 : 1;
    previous = value;
    take(value, 1);
  }
}

const crcTable = Uint32Array.from({ length: 256 }, (_, index) => {
  let crc = index << 24;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  return crc >>> 0;
});

/** CRC-32 with the most significant bit first. */
function crcOf(data: Buffer): number {
  let crc = 0xffffffff;
  for (let i = 0; i < data.length; i += 1) {
    crc = (crc << 8) ^ (crcTable[((crc >>> 24) ^ (data[i] as number)) & 0xff] as number);
  }
  return ~crc >>> 0;
}
