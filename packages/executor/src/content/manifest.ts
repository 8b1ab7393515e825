/**
 * The files behind a content digest, kept in the store so that a later build can be told which of them changed. Named by the
 * digest, so equal content is kept once; whatever is missing or damaged only makes explanations shorter.
 *
 * Format: magic; then groups (one for each source of a copy that a wildcard found) of entries in walk order, numbers as
 * LEB128, names with the length of the part they share with the name before; a sha256 of all at the end.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type Digest, hexOf } from '@tsbuild/core';

const magic = Buffer.from('tsbuild-files-1\n');

/** Lists above this size are not kept, bytes: some 200,000 files. */
const largestList = 8 * 2 ** 20;
/** All lists together, bytes; the oldest go. */
const allLists = 64 * 2 ** 20;

export interface FileGroup {
  /** Last component of what the source names. */
  name: string;
  /** Where that is in its tree, for display only. */
  path: string;
  entries: FileEntry[];
}

/** A file as its digest has it. */
export interface FileEntry {
  /** Relative to the group, '' for itself; bytes as latin1. */
  name: string;
  /** S_IFMT bits. */
  type: number;
  /** Nothing more counts: a source directory itself. */
  bare: boolean;
  mode: number;
  uid: number;
  gid: number;
  /** Beginning of a digest; empty without attributes. */
  xattrs: string;
  /** Target of a symbolic link, latin1. */
  link: string;
  /** Numbers of a device. */
  device: string;
  size: number;
  /** Beginning of the data's sha256, latin1; empty for what is no regular file. */
  data: string;
  /** First name of the same file in its group. */
  firstName: string;
}

/** Bytes of digests that are kept: enough to see a difference. */
export const digestKept = 8;

const isBare = 1;
const hasOwner = 2;
const hasXattrs = 4;
const hasLink = 8;
const hasDevice = 16;
const hasData = 32;
const hasFirstName = 64;

class Writer {
  #buffer = Buffer.allocUnsafe(64 * 1024);
  length = 0;

  number(value: number): void {
    this.#room(8);
    let rest = value;
    while (rest > 127) {
      this.#buffer[this.length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.#buffer[this.length++] = rest;
  }

  /** One byte for each character. */
  raw(text: string): void {
    this.#room(text.length);
    this.length += this.#buffer.write(text, this.length, 'latin1');
  }

  text(text: string): void {
    this.number(text.length);
    this.raw(text);
  }

  done(): Buffer {
    return this.#buffer.subarray(0, this.length);
  }

  #room(bytes: number): void {
    if (this.length + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#buffer.length, this.length + bytes));
    this.#buffer.copy(larger, 0, 0, this.length);
    this.#buffer = larger;
  }
}

/** @returns undefined for a list that is too long to keep */
export function encodeManifest(
  groups: Iterable<{ name: string; path: string; count: number; entries: Iterable<FileEntry> }>,
): Buffer | undefined {
  const out = new Writer();
  out.raw(magic.toString('latin1'));
  for (const { name, path, count, entries } of groups) {
    out.number(count + 1);
    out.text(name);
    out.text(path);
    let before = '';
    for (const entry of entries) {
      if (out.length > largestList) return undefined;
      writeEntry(out, entry, before);
      before = entry.name;
    }
  }
  out.number(0);
  const body = out.done();
  return Buffer.concat([body, createHash('sha256').update(body).digest()]);
}

function writeEntry(out: Writer, entry: FileEntry, before: string): void {
  const { name } = entry;
  let shared = 0;
  const most = Math.min(name.length, before.length);
  while (shared < most && name.charCodeAt(shared) === before.charCodeAt(shared)) shared++;
  out.number(shared);
  out.text(name.slice(shared));
  const flags =
    (entry.bare ? isBare : 0) |
    (entry.uid !== 0 || entry.gid !== 0 ? hasOwner : 0) |
    (entry.xattrs === '' ? 0 : hasXattrs) |
    (entry.link === '' ? 0 : hasLink) |
    (entry.device === '' ? 0 : hasDevice) |
    (entry.data === '' ? 0 : hasData) |
    (entry.firstName === '' ? 0 : hasFirstName);
  out.number(flags);
  out.number(entry.type | entry.mode);
  if (flags & hasOwner) {
    out.number(entry.uid);
    out.number(entry.gid);
  }
  if (flags & hasXattrs) out.text(entry.xattrs);
  if (flags & hasLink) out.text(entry.link);
  if (flags & hasDevice) out.text(entry.device);
  if (flags & hasData) {
    out.number(entry.size);
    out.text(entry.data);
  }
  if (flags & hasFirstName) out.text(entry.firstName);
}

/** @returns undefined for what is torn, changed or of another version */
export function decodeManifest(content: Buffer): FileGroup[] | undefined {
  const body = content.subarray(0, Math.max(0, content.length - 32));
  if (!body.subarray(0, magic.length).equals(magic)) return undefined;
  if (!createHash('sha256').update(body).digest().equals(content.subarray(body.length))) return undefined;
  let at = magic.length;
  const number = () => {
    for (let value = 0, unit = 1; ; unit *= 128) {
      const byte = body.readUInt8(at++);
      value += (byte & 127) * unit;
      if (byte < 128) return value;
    }
  };
  const text = () => {
    const length = number();
    at += length;
    return body.toString('latin1', at - length, at);
  };
  const groups: FileGroup[] = [];
  for (;;) {
    const count = number();
    if (count === 0) return groups;
    const group: FileGroup = { name: text(), path: text(), entries: [] };
    let before = '';
    for (let left = count - 1; left > 0; left--) {
      const shared = number();
      const name = before.slice(0, shared) + text();
      const flags = number();
      const typeAndMode = number();
      const [uid, gid] = flags & hasOwner ? [number(), number()] : [0, 0];
      group.entries.push({
        name,
        bare: (flags & isBare) !== 0,
        type: typeAndMode & 0o170000,
        mode: typeAndMode & 0o7777,
        uid,
        gid,
        xattrs: flags & hasXattrs ? text() : '',
        link: flags & hasLink ? text() : '',
        device: flags & hasDevice ? text() : '',
        size: flags & hasData ? number() : 0,
        data: flags & hasData ? text() : '',
        firstName: flags & hasFirstName ? text() : '',
      });
      before = name;
    }
    groups.push(group);
  }
}

/** The lists of one store. */
export class Manifests {
  readonly #folder: string;
  #written = false;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Keeps a list that is not there yet. A fault costs no more than the list. */
  keep(digest: Digest, encode: () => Buffer | undefined): void {
    const path = this.#path(digest);
    try {
      const now = new Date();
      utimesSync(path, now, now);
      return;
    } catch {
      // Not there: the usual case for what has changed.
    }
    const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
    try {
      const data = encode();
      if (data === undefined) return;
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      writeFileSync(temporary, data, { flag: 'wx', mode: 0o600 });
      renameSync(temporary, path);
      this.#written = true;
    } catch {
      remove(temporary);
    }
  }

  read(digest: Digest): FileGroup[] | undefined {
    try {
      return decodeManifest(readFileSync(this.#path(digest)));
    } catch {
      return undefined;
    }
  }

  /** Brings the lists down to what they may take, if any was added. */
  trim(): void {
    if (!this.#written) return;
    this.#written = false;
    const files = listFiles(this.#folder).sort((a, b) => b.usedAt - a.usedAt);
    let bytes = 0;
    for (const { path, size } of files) {
      bytes += size;
      if (bytes > allLists) remove(path);
    }
  }

  #path(digest: Digest): string {
    return join(this.#folder, hexOf(digest));
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Never written, or gone already.
  }
}

function listFiles(folder: string): { path: string; size: number; usedAt: number }[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat === undefined ? [] : [{ path, size: stat.size, usedAt: stat.mtimeMs }];
  });
}
