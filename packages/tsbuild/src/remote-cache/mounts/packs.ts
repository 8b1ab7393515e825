/** Content that no earlier pack holds, into packs of a few MiB: spooled to files, so that uploads can lag behind. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Descriptor, Digest } from '@tsbuild/core';
import { type ByteStream, compress, measure } from '@tsbuild/registry';
import { readFileStream } from '../../store/read-stream.js';
import { isDense } from './dense.js';
import { packing, packType } from './media-types.js';
import { packTarget, type Place } from './reuse.js';
import type { TreePack } from './tree.js';

/** What is left to compress is mostly metadata, which the fast levels make small enough. */
const levels = packing === 'gzip' ? { loose: 1, dense: 0 } : { loose: 3, dense: 1 };

/** One blob of the parts, in small pieces. */
function pack(parts: Iterable<Buffer>, kind: keyof typeof levels): ByteStream {
  async function* each() {
    yield* parts;
  }
  return compress(each(), { compression: packing, level: levels[kind] });
}

export async function packed(plain: Buffer): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of pack([plain], 'loose')) parts.push(part);
  return Buffer.concat(parts);
}

export interface PackWriter {
  /** Where the data will be; digest and size of its pack are known after `finish`. */
  add(data: Buffer): Promise<Place>;
  finish(): Promise<void>;
}

/**
 * What cannot be compressed comes into packs of its own, which are only stored.
 * @param spool folder for the packs
 * @param ready told about each pack once it is whole
 */
export function packWriter(
  spool: string,
  ready: (blob: Descriptor, open: () => ByteStream) => void,
): PackWriter {
  const open: Record<keyof typeof levels, { parts: Buffer[]; pack: TreePack } | undefined> = {
    loose: undefined,
    dense: undefined,
  };
  let packs = 0;

  async function flush(kind: keyof typeof levels): Promise<void> {
    const current = open[kind];
    if (current === undefined) return;
    open[kind] = undefined;
    const { parts, pack: whole } = current;
    const path = join(spool, String(packs++));
    const blob = measure(pack(parts, kind));
    await writeFile(path, blob.stream);
    Object.assign(whole, blob.result());
    const { mediaType, digest, size } = whole;
    ready({ mediaType, digest, size }, () => readFileStream(path));
  }

  return {
    async add(data) {
      const kind = isDense(data) ? 'dense' : 'loose';
      if ((open[kind]?.pack.length ?? 0) + data.length > packTarget) await flush(kind);
      const fresh = { mediaType: packType, digest: '' as Digest, size: 0, length: 0 };
      const current = open[kind] ?? { parts: [], pack: fresh };
      open[kind] = current;
      const offset = current.pack.length;
      current.parts.push(data);
      current.pack.length += data.length;
      return { pack: current.pack, offset, length: data.length };
    },
    async finish() {
      await flush('loose');
      await flush('dense');
    },
  };
}
