/** Archives for tests, and stores to unpack them in. */
import { createHash } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Digest } from '@tsbuild/core';
import * as native from '@tsbuild/native';
import type { SnapshotId } from '@tsbuild/solver';
import { packLayer, unpackLayer } from '../../src/layer/index.js';
import { encodeHeader, endOfArchive, paddingOf, type TarEntry, tarType } from '../../src/layer/tar-header.js';
import { openCopySnapshotter } from '../../src/snapshot/copy.js';
import { openOverlaySnapshotter } from '../../src/snapshot/overlay.js';
import type { Snapshotter } from '../../src/snapshot/snapshotter.js';
import { describe, inUserNamespace } from '../snapshot/trees.js';

export const drivers = {
  overlay: (root: string) =>
    openOverlaySnapshotter({ root, tmp: `${root}/tmp/lease`, userxattr: inUserNamespace }),
  copy: (root: string) => openCopySnapshotter({ root, tmp: `${root}/tmp/lease`, userxattr: inUserNamespace }),
};

/** A file (text), a directory (name ends in /), or any entry. */
export type Item =
  | [name: string, content?: string]
  | (Partial<Omit<TarEntry, 'name'>> & { name: Buffer | string; data?: Buffer });

export function tarOf(items: readonly Item[]): Buffer {
  const blocks: Buffer[] = [];
  for (const item of items) {
    const { name, data, ...rest } = Array.isArray(item)
      ? { name: item[0], data: Buffer.from(item[1] ?? '') }
      : item;
    const bytes = Buffer.from(name);
    const type = bytes.at(-1) === 0x2f ? tarType.directory : tarType.file;
    const mode = type === tarType.directory ? 0o755 : 0o644;
    const size = data?.length ?? 0;
    blocks.push(
      encodeHeader({ type, name: bytes, mode, uid: 0, gid: 0, size, mtime: 1_600_000_000, ...rest }),
    );
    if (size > 0 && data !== undefined) blocks.push(data, Buffer.alloc(paddingOf(size)));
  }
  return Buffer.concat([...blocks, endOfArchive()]);
}

/** In pieces that end anywhere. */
export async function* streamOf(bytes: Buffer, piece = 1000): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
}

export const digestOf = (bytes: Buffer): Digest =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;

export const never: AbortSignal = new AbortController().signal;

export async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

export interface Store {
  root: string;
  snapshotter: Snapshotter;
  /** Unpacks archives one on top of the other. */
  chain(...tars: Buffer[]): Promise<SnapshotId[]>;
  pack(ids: readonly SnapshotId[], index: number): Promise<Buffer>;
  look(ids: readonly SnapshotId[]): Promise<string[]>;
  remove(): Promise<void>;
}

let count = 0;

export function newStore(driver: keyof typeof drivers): Store {
  const root = mkdtempSync(join(tmpdir(), 'tsbuild-layer-'));
  const snapshotter = drivers[driver](root);
  return {
    root,
    snapshotter,
    async chain(...tars) {
      const ids: SnapshotId[] = [];
      for (const tar of tars) {
        const id = `c-${count++}` as SnapshotId;
        const options = { snapshotter, diffId: digestOf(tar), parents: [...ids], id, signal: never };
        ids.push(await unpackLayer(streamOf(tar, 100_000), options));
      }
      return ids;
    },
    pack: (ids, index) => collect(packLayer(snapshotter, ids, index)),
    async look(ids) {
      const view = await snapshotter.view(ids);
      try {
        return await describe(view.fd);
      } finally {
        await view.close();
      }
    },
    remove: () => native.removeTree(native.AT_FDCWD, root),
  };
}

export const pathsOf = (lines: readonly string[]): string[] =>
  lines.map((line) => line.split(' ')[0] as string);
