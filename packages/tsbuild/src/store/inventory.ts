/** What is in the store, how much of it, and when it was last used. Reads only. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { Descriptor, Digest } from '@tsbuild/core';
import { AT_FDCWD, close, constants, openat2, walk } from '@tsbuild/native';
import { rememberedNames } from '../resolve/names.js';
import { blobsBelow } from '../image/read.js';
import type { StepRecord } from './cache-store.js';
import type { Store } from './open.js';

export interface Measured {
  /** Bytes on the disk. */
  bytes: number;
  /** Milliseconds since the epoch. */
  usedAt: number;
}

export interface Inventory {
  records: (StepRecord & { usedAt: number })[];
  /** By id. */
  snapshots: Map<string, Measured>;
  blobs: Map<Digest, Measured>;
  /** Blobs that each tag needs. */
  images: { name: string; digest: Digest; blobs: Set<Digest> }[];
  /** Blobs that FROM would use again without asking a registry, by the record's path. */
  names: { path: string; usedAt: number; blobs: Set<Digest> }[];
  /** RUN cache mounts, by folder name. */
  mounts: Map<string, Measured>;
}

export async function takeInventory(store: Store): Promise<Inventory> {
  const images = [];
  for (const { name, descriptor } of await store.tags.list()) {
    images.push({ name, digest: descriptor.digest, blobs: await blobsOf(store, descriptor) });
  }
  const names = [];
  for (const { descriptor, path } of rememberedNames(store)) {
    names.push({ path, usedAt: mtime(path), blobs: await blobsOf(store, descriptor) });
  }
  const blobs = new Map<Digest, Measured>();
  for await (const { digest, size, mtimeMs } of store.content.list())
    blobs.set(digest, { bytes: size, usedAt: mtimeMs });
  return {
    records: [...store.steps.records()].map((record) => ({ ...record, usedAt: mtime(record.path) })),
    snapshots: await measureFolders(join(store.root, 'snapshots')),
    blobs,
    images,
    names,
    mounts: await measureFolders(join(store.root, 'mounts')),
  };
}

async function blobsOf(store: Store, root: Descriptor): Promise<Set<Digest>> {
  return new Set((await blobsBelow(store.content, root)).map(({ digest }) => digest));
}

function mtime(path: string): number {
  return fs.statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

async function measureFolders(parent: string): Promise<Map<string, Measured>> {
  const found = new Map<string, Measured>();
  for (const name of fs.readdirSync(parent)) {
    const path = join(parent, name);
    const bytes = await bytesBelow(path);
    if (bytes !== undefined) found.set(name, { bytes, usedAt: mtime(path) });
  }
  return found;
}

/** Bytes on the disk below a folder, each hard-linked file once; undefined where it has just gone. */
async function bytesBelow(path: string): Promise<number | undefined> {
  let fd: number;
  try {
    fd = openat2(AT_FDCWD, path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW, 0, 0);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
  try {
    const seen = new Set<bigint>();
    let blocks = 0;
    for (const entry of await walk(fd, '', {})) {
      if (entry.nlink > 1 && (entry.mode & constants.S_IFMT) !== constants.S_IFDIR) {
        if (seen.has(entry.ino)) continue;
        seen.add(entry.ino);
      }
      blocks += entry.blocks;
    }
    return blocks * 512;
  } finally {
    close(fd);
  }
}
