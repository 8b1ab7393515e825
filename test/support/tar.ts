/** A tar writer and reader for the tests, free of the project's code: ustar with PAX records, as POSIX describes them. */

export interface TarEntry {
  name: string;
  /** '0' file, '1' hard link, '2' symbolic link, '3' and '4' devices, '5' directory, '6' fifo. */
  type?: string;
  mode?: number;
  uid?: number;
  gid?: number;
  /** Seconds since 1970. */
  mtime?: number;
  data?: string | Uint8Array;
  link?: string;
  device?: [major: number, minor: number];
  /** PAX records of this entry. */
  pax?: Record<string, string>;
}

export interface ReadEntry extends Required<Omit<TarEntry, 'data'>> {
  data: Buffer;
  owner: string;
}

const block = 512;

/** The whole archive, two zero blocks included. */
export function packTar(entries: TarEntry[]): Buffer {
  return Buffer.concat([...entries.flatMap(packEntry), Buffer.alloc(2 * block)]);
}

function packEntry(entry: TarEntry): Buffer[] {
  const data = Buffer.from(entry.data ?? '');
  const head = header(entry, data.length);
  if (entry.pax === undefined) return [head, padded(data)];
  const records = Object.entries(entry.pax).map(([key, value]) => paxRecord(key, value));
  const body = Buffer.from(records.join(''));
  return [header({ name: 'pax', type: 'x' }, body.length), padded(body), head, padded(data)];
}

/** `LENGTH key=value\n`, where the length counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = Buffer.byteLength(rest);
  while (String(length).length + Buffer.byteLength(rest) !== length) {
    length = String(length).length + Buffer.byteLength(rest);
  }
  return `${length}${rest}`;
}

function header(entry: TarEntry, size: number): Buffer {
  const head = Buffer.alloc(block);
  const octal = (value: number, at: number, width: number) =>
    head.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, 'latin1');
  const type = entry.type ?? '0';
  head.write(entry.name, 0, 100);
  octal(entry.mode ?? (type === '5' ? 0o755 : 0o644), 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  octal(size, 124, 12);
  octal(entry.mtime ?? 1_000_000_000, 136, 12);
  head.write(type, 156);
  head.write(entry.link ?? '', 157, 100);
  head.write('ustar\u000000', 257, 'latin1');
  octal(entry.device?.[0] ?? 0, 329, 8);
  octal(entry.device?.[1] ?? 0, 337, 8);
  head.fill(' ', 148, 156);
  octal(
    head.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return head;
}

function padded(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.alloc((block - (data.length % block)) % block)]);
}

/** Every entry in order, PAX records applied. @throws Error for what is no uncompressed tar archive */
export function readTar(archive: Buffer): ReadEntry[] {
  const entries: ReadEntry[] = [];
  let pax: Record<string, string> = {};
  for (let at = 0; at + block <= archive.length; ) {
    const head = archive.subarray(at, at + block);
    if (head.every((byte) => byte === 0)) break;
    if (text(head, 257, 5) !== 'ustar') throw new Error(`no tar header at byte ${at}`);
    const size = pax['size'] === undefined ? number(head, 124, 12) : Number(pax['size']);
    const data = archive.subarray(at + block, at + block + size);
    at += block + Math.ceil(size / block) * block;
    const type = text(head, 156, 1) || '0';
    if (type === 'x') {
      pax = readPax(data);
      continue;
    }
    const prefix = text(head, 345, 155);
    const name = pax['path'] ?? (prefix ? `${prefix}/${text(head, 0, 100)}` : text(head, 0, 100));
    entries.push({
      name,
      type,
      mode: number(head, 100, 8),
      uid: Number(pax['uid'] ?? number(head, 108, 8)),
      gid: Number(pax['gid'] ?? number(head, 116, 8)),
      mtime: Number(pax['mtime'] ?? number(head, 136, 12)),
      link: pax['linkpath'] ?? text(head, 157, 100),
      device: [number(head, 329, 8), number(head, 337, 8)],
      owner: [text(head, 265, 32), text(head, 297, 32)].filter(Boolean).join(':'),
      data,
      pax,
    });
    pax = {};
  }
  return entries;
}

function text(head: Buffer, at: number, length: number): string {
  const field = head.subarray(at, at + length);
  const end = field.indexOf(0);
  return shown(field.subarray(0, end < 0 ? length : end));
}

/** As UTF-8; where it is none, every byte beyond ASCII as `\\xNN`, so that no two names look alike. */
function shown(bytes: Buffer): string {
  const text = bytes.toString();
  if (Buffer.from(text).equals(bytes)) return text;
  return bytes.toString('latin1').replace(/[\x80-\xff]/g, (char) => `\\x${char.charCodeAt(0).toString(16)}`);
}

/** Octal, or GNU's base 256 where the first bit is set. */
function number(head: Buffer, at: number, length: number): number {
  if (((head[at] ?? 0) & 0x80) === 0) return Number.parseInt(text(head, at, length).trim() || '0', 8);
  const field = head.subarray(at, at + length);
  const negative = field[0] === 0xff;
  const value = field
    .subarray(1)
    .reduce((sum, byte) => sum * 256n + BigInt(negative ? byte ^ 0xff : byte), 0n);
  return negative ? Number(-value - 1n) : Number(value);
}

function readPax(data: Buffer): Record<string, string> {
  const records: Record<string, string> = {};
  for (let at = 0; at < data.length; ) {
    const blank = data.indexOf(' ', at);
    const length = Number(data.toString('latin1', at, blank));
    const record = data.subarray(blank + 1, at + length - 1);
    const equals = record.indexOf('=');
    const key = record.toString('utf8', 0, equals);
    const value = record.subarray(equals + 1);
    records[key] = key === 'path' || key === 'linkpath' ? shown(value) : value.toString();
    at += length;
  }
  return records;
}
