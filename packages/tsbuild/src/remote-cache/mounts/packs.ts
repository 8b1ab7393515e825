/** Content that no earlier pack holds, into packs of a few MiB: spooled to files, so that uploads can lag behind. */
import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Descriptor, type Digest, hexOf } from '@tsbuild/core';
import { compress, type ByteStream } from '@tsbuild/registry';
import { packing, packType } from './media-types.js';
import { packTarget, type Place } from './reuse.js';
import { digestOf } from './scan.js';
import type { TreePack } from './tree.js';

/** Much of what package managers cache is compressed already: more than the fastest level rarely pays. */
const level = packing === 'gzip' ? 1 : 3;

export async function packed(plain: Buffer): Promise<Buffer> {
  async function* once() {
    yield plain;
  }
  const parts: Uint8Array[] = [];
  for await (const part of compress(once(), { compression: packing, level })) parts.push(part);
  return Buffer.concat(parts);
}

export interface PackWriter {
  /** Where the data will be; digest and size of its pack are known after `finish`. */
  add(data: Buffer): Promise<Place>;
  finish(): Promise<void>;
}

/**
 * @param spool folder for the packs
 * @param ready told about each pack once it is whole
 */
export function packWriter(
  spool: string,
  ready: (blob: Descriptor, open: () => ByteStream) => void,
): PackWriter {
  let parts: Buffer[] = [];
  let current: TreePack | undefined;

  async function flush(): Promise<void> {
    if (current === undefined) return;
    const pack = current;
    const blob = await packed(Buffer.concat(parts));
    parts = [];
    current = undefined;
    pack.digest = digestOf(blob);
    pack.size = blob.length;
    const path = join(spool, hexOf(pack.digest));
    await writeFile(path, blob);
    ready({ mediaType: pack.mediaType, digest: pack.digest, size: pack.size }, () => createReadStream(path));
  }

  return {
    async add(data) {
      if (current !== undefined && current.length + data.length > packTarget) await flush();
      current ??= { mediaType: packType, digest: '' as Digest, size: 0, length: 0 };
      const offset = current.length;
      parts.push(data);
      current.length += data.length;
      return { pack: current, offset, length: data.length };
    },
    finish: flush,
  };
}
