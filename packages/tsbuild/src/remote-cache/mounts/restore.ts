/** Cache mounts of a shared cache into the store: when a step is about to run that uses one, and only then. */
import type { Descriptor, EventSink } from '@tsbuild/core';
import type { RestoreCache } from '@tsbuild/executor';
import * as native from '@tsbuild/native';
import type { TransferOptions } from '@tsbuild/registry';
import { withStep } from '../../engine/step.js';
import { transferTo } from '../../image/fetch.js';
import type { CacheMedium } from '../medium.js';
import { fetchIndex, fetchPack, fetchTree } from './fetch.js';
import { type MountIndex, newestFirst, type SavedMount } from './index-document.js';
import { mountsType } from './media-types.js';
import { contentBytes, type TreePack } from './tree.js';
import { messageOf, warn } from './warn.js';
import type { WantedMount } from './wanted.js';
import { writeTree } from './write-tree.js';

/** A cache that was named to read from. */
export interface MountCache {
  medium: CacheMedium;
  /** Blobs of the cache's document. */
  blobs: readonly Descriptor[];
}

export interface RestoreOptions {
  wanted: readonly WantedMount[];
  /** Asked once, when a mount is first to be restored; in the order of the command line. */
  sources(): Promise<readonly MountCache[]>;
  emit: EventSink;
  notice(message: string): void;
}

interface Choice {
  medium: CacheMedium;
  saved: SavedMount;
  exact: boolean;
}

/** Packs that are fetched ahead of the one being written. */
const packsAhead = 3;
/** Part of the free disk space that a restored mount may take. */
const diskShare = 0.9;

/** What fails is a warning, and the mount stays empty; only an abort throws. */
export function mountRestorer(options: RestoreOptions): RestoreCache {
  const { wanted, emit, notice } = options;
  let indexes: Promise<Choice[]> | undefined;
  /** Instances of a private mount are restored each, maybe at the same time. */
  let restores = 0;
  return async ({ id }, directory, signal) => {
    const mount = wanted.find((each) => each.id === id);
    if (mount === undefined) return false;
    try {
      indexes ??= readIndexes(options, signal);
      const choice = choose(mount, await indexes);
      if (choice === undefined) return false;
      const name = `[internal] restore cache mount ${mount.name}`;
      const step = { id: `internal:restore-mount:${restores++}`, name, signal };
      const seconds = await withStep(emit, step, async (vertex) => {
        const begin = performance.now();
        await restore(choice, mount, directory, { signal, onTransfer: transferTo(emit, vertex) });
        return (performance.now() - begin) / 1000;
      });
      notice(`cache mount ${mount.name}: ${describe(mount, choice)} (${seconds.toFixed(1)} s)`);
      return true;
    } catch (error) {
      signal.throwIfAborted();
      warn(emit, `cache mount ${mount.name}: not restored, it begins empty: ${messageOf(error)}`);
      return false;
    }
  };
}

async function readIndexes({ sources, emit }: RestoreOptions, signal: AbortSignal): Promise<Choice[]> {
  const all: Choice[] = [];
  for (const { medium, blobs } of await sources()) {
    const blob = blobs.find(({ mediaType }) => mediaType === mountsType);
    if (blob === undefined) continue;
    try {
      const index: MountIndex = await fetchIndex(medium, blob, { signal });
      all.push(...index.mounts.map((saved) => ({ medium, saved, exact: false })));
    } catch (error) {
      signal.throwIfAborted();
      warn(emit, `cache mounts of ${medium.name} cannot be read: ${messageOf(error)}`);
    }
  }
  return all;
}

/** The one under the same key, in the first cache that has one; else the newest of all. */
function choose({ id, key }: WantedMount, all: readonly Choice[]): Choice | undefined {
  const own = all.filter(({ saved }) => saved.id === id);
  const same = key === undefined ? undefined : own.find(({ saved }) => saved.key === key);
  if (same !== undefined) return { ...same, exact: true };
  return own.sort((a, b) => newestFirst(a.saved, b.saved))[0];
}

function describe({ key }: WantedMount, { medium, saved, exact }: Choice): string {
  const what = `${(saved.size / 1e6).toFixed(1)} MB in ${saved.files} files from ${medium.name}, saved ${saved.created}`;
  if (key === undefined) return `restored ${what}`;
  return exact
    ? `restored ${what} under this key`
    : `nothing was saved under this key; restored the newest instead: ${what}`;
}

async function restore(
  { medium, saved }: Choice,
  { maxBytes }: WantedMount,
  directory: string,
  options: TransferOptions,
): Promise<void> {
  const tree = await fetchTree(medium, saved.tree, options);
  const { O_RDONLY, O_DIRECTORY } = native.constants;
  const root = native.openat2(native.AT_FDCWD, directory, O_RDONLY | O_DIRECTORY, 0, 0);
  try {
    const bytes = contentBytes(tree);
    if (bytes > maxBytes)
      throw new Error(`it has ${bytes} bytes, more than the ${maxBytes} that are allowed`);
    const { freeBytes } = native.statfs(root);
    if (bytes > freeBytes * diskShare)
      throw new Error(`it has ${bytes} bytes, and ${freeBytes} are free on the disk`);
    await writeTree(tree, root, (packs) => fetchAhead(medium, packs, options));
  } finally {
    native.close(root);
  }
}

async function* fetchAhead(
  medium: CacheMedium,
  packs: readonly TreePack[],
  { signal, ...options }: TransferOptions,
): AsyncGenerator<{ index: number; bytes: Buffer }> {
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const running: Promise<Buffer>[] = [];
  /** Memory of packs that are written, for the next ones. */
  const spare: Buffer[] = [];
  const largest = Math.max(0, ...packs.map(({ length }) => length));
  let next = 0;
  const start = () => {
    const pack = packs[next];
    if (pack === undefined) return;
    next++;
    const space = spare.pop() ?? Buffer.allocUnsafeSlow(largest);
    const work = fetchPack(medium, pack, space, { ...options, signal: both });
    // A failure is seen when the pack's turn comes; until then it must not count as unhandled.
    work.catch(() => undefined);
    running.push(work);
  };
  try {
    for (let i = 0; i < packsAhead; i++) start();
    for (let index = 0; index < packs.length; index++) {
      const bytes = await running.shift();
      if (bytes === undefined) return;
      yield { index, bytes };
      signal.throwIfAborted();
      spare.push(Buffer.from(bytes.buffer));
      start();
    }
  } finally {
    stop.abort();
    await Promise.allSettled(running);
  }
}
