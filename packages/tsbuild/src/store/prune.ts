/**
 * Removes what no image needs and no live process uses. Sizes of snapshots are taken first, without a lock. Under the gc
 * lock it decides and takes things out of sight (a record unlinked, a tree renamed away); the slow removal of trees follows
 * without the lock, from the temporary folder of a lease: after a crash the next prune removes them.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { storeFull } from '@tsbuild/core';
import { acquireLease } from '@tsbuild/executor';
import { AT_FDCWD, close, constants, openat2, statfs } from '@tsbuild/native';
import type { CacheLimits, PrunedEntry, PruneOptions, PruneResult } from '../api/types.js';
import type { OperationContext } from '../engine/context.js';
import { type EntryFilter, parseFilters } from './entry-filter.js';
import { readInUse } from './in-use.js';
import { takeInventory } from './inventory.js';
import { acquireLock, tryLock } from './lock.js';
import { measureStore } from './measure.js';
import { gcLock, openStore, type Store } from './open.js';
import { bytesToKeep, planPrune, type Removal } from './prune-plan.js';
import { dropRecord } from './record-file.js';

type Options = Omit<PruneOptions, 'signal' | 'onEvent'>;

export async function prune(options: Options, context: OperationContext): Promise<PruneResult> {
  const filter = parseFilters(options.filters ?? []);
  if (options.unusedForMs !== undefined)
    filter.unusedForMs = Math.max(options.unusedForMs, filter.unusedForMs ?? 0);
  const store = await openStore({
    root: options.root,
    warn: (message) => context.emit({ type: 'notice', message }),
  });
  const all = options.all ?? false;
  return await pruneStore(
    store,
    { ...options, filter, all, dryRun: options.dryRun ?? false },
    context.signal,
  );
}

export interface PruneRequest extends CacheLimits {
  filter: EntryFilter;
  all: boolean;
  dryRun: boolean;
}

export async function pruneStore(
  store: Store,
  request: PruneRequest,
  signal: AbortSignal,
): Promise<PruneResult> {
  const { trees } = await measureStore(store.root);
  const lease = await acquireLease(store.root).catch((error: unknown) => {
    // On a full disk nothing can be made first: then things are removed where they are, with the lock held.
    if (storeFull(error, store.root)) return undefined;
    throw error;
  });
  const removed: PrunedEntry[] = [];
  let total: number;
  let limit: number | undefined;
  try {
    const lock = await acquireLock(gcLock(store.root), 'exclusive', signal);
    try {
      const inventory = await takeInventory(store, trees.snapshots);
      const { live, ...others } = readInUse(store.root);
      const inUse = { ...others, live: new Set([...live].filter((name) => name !== lease?.id)) };
      // This process' own empty folder is no part of the store.
      inventory.temporary = inventory.temporary.filter(({ path }) => path !== lease?.tmp);
      total = inventory.total;
      limit = bytesToKeep(request, total, freeBytes(store.root));
      const plan = planPrune(inventory, inUse, { ...request, root: store.root, limit, now: Date.now() });
      for (const removal of plan) {
        if (request.dryRun || (await take(store, removal, lease?.tmp))) removed.push(reported(removal));
      }
      if (!request.dryRun) removeDead(store.root, inUse.dead);
    } finally {
      lock.release();
    }
  } finally {
    await lease?.release();
  }
  const bytes = removed.reduce((sum, each) => sum + each.bytes, 0);
  const count = (type: PrunedEntry['type']) => removed.filter((each) => each.type === type).length;
  return {
    records: count('step'),
    snapshots: removed.reduce((sum, { snapshots }) => sum + snapshots, 0),
    blobs: count('blob'),
    bytes,
    total: total - bytes,
    ...(limit === undefined || limit === Infinity ? {} : { limit }),
    removed,
  };
}

function reported({ type, id, description, bytes, snapshots }: Removal): PrunedEntry {
  return { type, id, description, bytes, snapshots: snapshots.length };
}

export function freeBytes(root: string): number {
  const fd = openat2(AT_FDCWD, root, constants.O_RDONLY | constants.O_DIRECTORY, 0, 0);
  try {
    return statfs(fd).freeBytes;
  } finally {
    close(fd);
  }
}

/** @returns false where a step has just taken the cache mount */
async function take(store: Store, removal: Removal, grave: string | undefined): Promise<boolean> {
  const { root } = store;
  const moveAway = async (path: string, name: string) =>
    grave === undefined
      ? await store.removeTree(path.slice(root.length + 1))
      : rename(path, join(grave, name));
  for (const name of removal.mounts) if (!(await takeMount(root, name, moveAway))) return false;
  for (const name of removal.tags) await store.tags.delete(name);
  // A record goes before what it names: at no time does one name a snapshot that is gone.
  for (const path of removal.files) dropRecord(path);
  for (const id of removal.snapshots) await moveAway(join(root, 'snapshots', id), `s-${id}`);
  for (const digest of removal.blobs) await store.content.remove(digest);
  for (const [index, path] of removal.leftovers.entries()) {
    await moveAway(path, `t-${index}-${path.slice(path.lastIndexOf('/') + 1)}`);
  }
  return true;
}

function rename(path: string, destination: string): void {
  try {
    fs.renameSync(path, destination);
  } catch (error) {
    // A process that has just ended removed it itself.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

async function takeMount(
  root: string,
  name: string,
  moveAway: (path: string, name: string) => Promise<void>,
): Promise<boolean> {
  const folder = join(root, 'mounts', name);
  if (!fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    await moveAway(folder, `m-${name}`);
    return true;
  }
  const lock = tryLock(join(folder, 'lock'), 'exclusive');
  if (!lock) return false;
  // Who waits for the lock finds another file, or none, under its name afterwards, and makes the folder anew.
  await moveAway(folder, `m-${name}`);
  lock.release();
  return true;
}

/** Leases of processes that are gone, and lock files that they did not get to remove. */
function removeDead(root: string, dead: readonly string[]): void {
  for (const name of dead) fs.rmSync(join(root, 'leases', name), { force: true, recursive: true });
  for (const name of fs.readdirSync(join(root, 'locks'))) {
    const path = join(root, 'locks', name);
    if (path !== gcLock(root)) tryLock(path, 'exclusive')?.release();
  }
}
