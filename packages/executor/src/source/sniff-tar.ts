/** Whether bytes start a tar archive, as docker's archive.IsArchivePath finds out: one entry can be read. */
import type { Fd } from '@tsbuild/native';
import { TsbuildError } from '@tsbuild/core';
import { decompressFile } from './decompress.js';

const block = 512;
/** Bytes read at most before the answer is no: extended headers may precede the entry. */
const limit = 2 * 1024 * 1024;

/** The file is a tar archive, compressed or not, with at least one readable entry. */
export async function isArchive(fd: Fd): Promise<boolean> {
  let head = Buffer.alloc(0);
  try {
    for await (const chunk of decompressFile(fd)) {
      head = Buffer.concat([head, chunk]);
      const answer = firstEntry(head);
      if (answer !== undefined) return answer;
      if (head.length > limit) return false;
    }
  } catch (error) {
    if (TsbuildError.is(error) && error.code === 'TSB_INTEGRITY_BAD_ARCHIVE')
      return firstEntry(head) ?? false;
    throw error;
  }
  return false;
}

/** True once a real entry's header is there, false once it is clear that there is none, undefined for more bytes. */
function firstEntry(head: Buffer): boolean | undefined {
  for (let at = 0; ; ) {
    if (head.length < at + block) return undefined;
    const header = head.subarray(at, at + block);
    if (header.every((byte) => byte === 0)) return false;
    if (!hasValidChecksum(header)) return false;
    const type = String.fromCharCode(header[156] as number);
    // Extended headers of pax (x, g) and GNU (L, K) describe the entry that follows.
    if (!'xgLK'.includes(type)) return true;
    const size = Number.parseInt(header.toString('latin1', 124, 136).replace(/[\0 ]/g, ''), 8);
    if (!Number.isSafeInteger(size) || size > limit) return false;
    at += block + Math.ceil(size / block) * block;
  }
}

/** Sum of all bytes with the checksum's own field as blanks; some old archivers summed signed bytes. */
function hasValidChecksum(header: Buffer): boolean {
  const stored = Number.parseInt(header.toString('latin1', 148, 156).replace(/[\0 ]/g, ''), 8);
  let unsigned = 0;
  let signed = 0;
  for (let i = 0; i < block; i += 1) {
    const byte = i >= 148 && i < 156 ? 0x20 : (header[i] as number);
    unsigned += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  return stored === unsigned || stored === signed;
}
