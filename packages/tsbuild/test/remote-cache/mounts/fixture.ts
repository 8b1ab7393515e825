/** A shared cache in memory that counts, and cache mounts in a store of the test's own. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type BuildEvent, type Descriptor, type Digest, sha256 } from '@tsbuild/core';
import { type HeldCache, holdCache, readCache } from '@tsbuild/executor';
import { collect, type TransferOptions } from '@tsbuild/registry';
import type { CacheDocument, CacheMedium } from '../../../src/remote-cache/medium.js';
import { mountRestorer } from '../../../src/remote-cache/mounts/restore.js';
import { saveMounts } from '../../../src/remote-cache/mounts/save.js';
import type { WantedMount } from '../../../src/remote-cache/mounts/wanted.js';
import { prepareStore } from '../../../src/store/layout.js';

export const never: AbortSignal = new AbortController().signal;

export class MemoryMedium implements CacheMedium {
  readonly name = 'type=memory';
  readonly blobs = new Map<Digest, Buffer>();
  document: CacheDocument | undefined;
  /** Media types of what was fetched and of what was uploaded, in order. */
  fetched: string[] = [];
  uploaded: string[] = [];
  bytesUploaded = 0;
  /** Uploads fail. */
  refuses = false;

  async load() {
    return this.document;
  }

  async open({ digest, mediaType }: Descriptor, { signal }: TransferOptions) {
    signal.throwIfAborted();
    this.fetched.push(kindOf(mediaType));
    const bytes = this.blobs.get(digest);
    if (bytes === undefined) throw new Error(`no blob ${digest}`);
    return (async function* () {
      yield bytes;
    })();
  }

  async put(
    blob: Descriptor,
    open: () => AsyncIterable<Uint8Array>,
    { signal }: TransferOptions,
  ): Promise<'exists' | 'uploaded'> {
    signal.throwIfAborted();
    if (this.blobs.has(blob.digest)) return 'exists';
    const stream = open();
    if (this.refuses) {
      // Whoever offers a blob to see whether it is there must see that it was wanted.
      for await (const _ of stream) throw new Error('the medium is full');
    }
    const bytes = await collect(stream, blob.size, 'blob');
    if (sha256(bytes) !== blob.digest) throw new Error('wrong digest');
    this.blobs.set(blob.digest, bytes);
    this.uploaded.push(kindOf(blob.mediaType));
    this.bytesUploaded += bytes.length;
    return 'uploaded';
  }

  async publish(document: CacheDocument) {
    for (const { digest } of document.blobs)
      if (!this.blobs.has(digest)) throw new Error(`no blob ${digest}`);
    this.document = document;
  }
}

/** index, tree or pack. */
function kindOf(mediaType: string): string {
  return /cache\.(?:mount-)?(mounts|tree|pack)/.exec(mediaType)?.[1] ?? mediaType;
}

export class Store {
  readonly root: string;
  signal: AbortSignal = never;
  /** And warnings. */
  readonly notices: string[] = [];
  readonly events: BuildEvent[] = [];

  constructor(t: TestContext) {
    this.root = mkdtempSync(join(tmpdir(), 'tsbuild-mounts-'));
    t.after(() => rmSync(this.root, { recursive: true, force: true }));
    prepareStore(this.root);
  }

  private get told() {
    return {
      emit: (event: BuildEvent) => {
        this.events.push(event);
        if (event.type === 'warning') this.notices.push(event.message);
      },
      notice: (message: string) => this.notices.push(message),
    };
  }

  /** Saves and publishes. */
  async save(medium: MemoryMedium, wanted: readonly WantedMount[]): Promise<void> {
    medium.uploaded = [];
    medium.bytesUploaded = 0;
    const previous = medium.document?.blobs ?? [];
    const options = { root: this.root, wanted, medium, previous, signal: this.signal, ...this.told };
    const blobs = await saveMounts(options);
    await medium.publish({ config: Buffer.from('{}'), blobs, annotations: {} });
  }

  /** What the executor asks when a step uses the mount; the path holds its content then. */
  async restore(
    media: readonly MemoryMedium[],
    wanted: readonly WantedMount[],
    id: string,
  ): Promise<string | undefined> {
    const sources = async () => media.map((medium) => ({ medium, blobs: medium.document?.blobs ?? [] }));
    const directory = mkdtempSync(join(this.root, 'tmp', 'restored-'));
    const restore = mountRestorer({ wanted, sources, ...this.told });
    const mount = { type: 'cache', id, target: '/x', sharing: 'shared', readonly: false } as const;
    const done = await restore({ ...mount, mode: 0o755, uid: 0, gid: 0, source: '' }, directory, this.signal);
    return done ? directory : undefined;
  }

  /** The directory of a cache mount, made as steps make it. */
  async mount(id: string): Promise<string> {
    const mount = { type: 'cache', id, target: '/x', sharing: 'shared', readonly: false } as const;
    const held = await holdCache(
      join(this.root, 'mounts'),
      { ...mount, mode: 0o755, uid: 0, gid: 0, source: '' },
      {},
      never,
    );
    held.release();
    return held.path;
  }

  read(id: string): Promise<HeldCache | 'taken' | undefined> {
    return readCache(join(this.root, 'mounts'), id, 0, never);
  }
}

export function wanted(id: string, key?: string): WantedMount {
  return { name: id.replace('/', ''), id, maxBytes: 1e9, ...(key === undefined ? {} : { key: sha256(key) }) };
}

export function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'tsbuild-mounts-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  mkdirSync(join(path, 'x'));
  return path;
}
