/** What is in the store: every byte belongs to one item, and each item says what it needs. Reads only. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { type Descriptor, type Digest, isDigest } from '@tsbuild/core';
import { rememberedNames } from '../resolve/names.js';
import { blobsBelow } from '../image/read.js';
import type { StepRecord } from './cache-store.js';
import { type KnownSizes, type Measured, measureStore } from './measure.js';
import type { Store } from './open.js';
import { readRecord } from './record-file.js';

/** A small file of the index. */
export interface IndexFile extends Measured {
  /** Full path. */
  path: string;
}

export interface StepItem extends IndexFile, StepRecord {
  /** Ids, bottom first. */
  snapshots: string[];
}

export interface Inventory {
  steps: StepItem[];
  /** What is known of ADDed URLs; each names one snapshot. */
  downloads: (IndexFile & { snapshot: string })[];
  /** What FROM would use again without asking a registry. */
  names: (IndexFile & { name: string; blobs: Set<Digest> })[];
  /** Which blob a packed layer is: `cache/layers`, `cache/blobs`. */
  encodings: (IndexFile & { blob: Digest | undefined })[];
  /** Everything else below cache/: digests of contents and of files, which are only computed again. */
  memos: IndexFile[];
  /** By id. */
  snapshots: Map<string, Measured>;
  blobs: Map<Digest, Measured>;
  /** Each name with the blobs that its image needs. */
  images: { name: string; digest: Digest; usedAt: number; blobs: Set<Digest> }[];
  /** RUN cache mounts, by folder name. */
  mounts: Map<string, Measured & { id: string }>;
  /** Work in progress and what is left of it: folders of tmp/, files of oci/ingest/, unfinished records. Full paths. */
  temporary: IndexFile[];
  /** Lock files, leases, the list of names, and all directories. */
  rest: number;
  /** Sum of all. */
  total: number;
}

/** @param sizes of snapshots, where they are known already */
export async function takeInventory(store: Store, sizes?: KnownSizes): Promise<Inventory> {
  const measure = await measureStore(store.root, sizes);
  const inventory: Inventory = {
    steps: [],
    downloads: [],
    names: [],
    encodings: [],
    memos: [],
    snapshots: measure.trees.snapshots,
    blobs: new Map(),
    images: [],
    mounts: new Map(),
    temporary: [],
    rest: measure.directories,
    total: measure.directories,
  };
  const records = new Map([...store.steps.records()].map((record) => [record.path, record]));
  const names = new Map([...rememberedNames(store)].map((name) => [name.path, name]));
  for (const { path: relative, regular, ...measured } of measure.files) {
    inventory.total += measured.bytes;
    const path = join(store.root, relative);
    const file = { ...measured, path };
    const [top, folder, third] = relative.split('/');
    if (top === 'oci' && third === 'sha256') {
      const digest = `sha256:${relative.slice('oci/blobs/sha256/'.length)}`;
      if (regular && isDigest(digest)) inventory.blobs.set(digest, measured);
      else inventory.rest += measured.bytes;
    } else if ((top === 'oci' && folder === 'ingest') || (top === 'cache' && relative.endsWith('.tmp'))) {
      inventory.temporary.push(file);
    } else if (top !== 'cache') {
      inventory.rest += measured.bytes;
    } else {
      addIndexFile(inventory, store, file, folder ?? '', { records, names });
    }
  }
  for (const [name, measured] of measure.trees.mounts) {
    inventory.mounts.set(name, { ...measured, id: mountId(join(store.root, 'mounts', name)) });
  }
  for (const [name, measured] of measure.trees.tmp) {
    inventory.temporary.push({ ...measured, path: join(store.root, 'tmp', name) });
  }
  for (const tree of Object.values(measure.trees)) {
    for (const { bytes } of tree.values()) inventory.total += bytes;
  }
  for (const name of inventory.names) {
    const descriptor = names.get(name.path)?.descriptor;
    if (descriptor) name.blobs = await blobsOf(store, descriptor);
  }
  for (const { name, descriptor } of await store.tags.list()) {
    const usedAt = inventory.blobs.get(descriptor.digest)?.usedAt ?? 0;
    inventory.images.push({
      name,
      digest: descriptor.digest,
      usedAt,
      blobs: await blobsOf(store, descriptor),
    });
  }
  return inventory;
}

function addIndexFile(
  inventory: Inventory,
  store: Store,
  file: IndexFile,
  folder: string,
  known: {
    records: ReadonlyMap<string, StepRecord>;
    names: ReadonlyMap<string, { name: string; descriptor: Descriptor }>;
  },
): void {
  const { path } = file;
  const record = known.records.get(path);
  const name = known.names.get(path);
  if (record) {
    inventory.steps.push({
      ...record,
      ...file,
      snapshots: record.ref.layers.map(({ snapshot }) => snapshot),
    });
  } else if (name) {
    inventory.names.push({ ...file, name: name.name, blobs: new Set() });
  } else if (folder === 'layers' || folder === 'blobs') {
    const found = readRecord(path, store.warn) as { digest?: unknown } | undefined;
    inventory.encodings.push({ ...file, blob: isDigest(found?.digest) ? found.digest : undefined });
  } else if (folder === 'http') {
    const snapshot = downloadedSnapshot(path);
    if (snapshot === undefined) inventory.memos.push(file);
    else inventory.downloads.push({ ...file, snapshot });
  } else {
    inventory.memos.push(file);
  }
}

/** Files of cache/http are written by the executor: JSON with a checksum of its own, which matters to readers only. */
function downloadedSnapshot(path: string): string | undefined {
  try {
    const { known } = JSON.parse(fs.readFileSync(path, 'utf8')) as { known?: { snapshot?: unknown } };
    return typeof known?.snapshot === 'string' ? known.snapshot : undefined;
  } catch {
    return undefined;
  }
}

/** As the Dockerfile has it; empty where the file is gone. */
function mountId(folder: string): string {
  try {
    return fs.readFileSync(join(folder, 'id'), 'utf8');
  } catch {
    return '';
  }
}

async function blobsOf(store: Store, root: Descriptor): Promise<Set<Digest>> {
  return new Set((await blobsBelow(store.content, root)).map(({ digest }) => digest));
}
