/**
 * Removes what no image needs and no live process uses. Sizes of snapshots are taken first, without a lock. Under the gc
 * lock it decides and takes things out of sight (a record unlinked, a tree renamed away); the slow removal of trees follows
 * without the lock, from the temporary folder of a lease: after a crash the next prune removes them.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
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
  const lease = await acquireLease(store.root);
  const removed: PrunedEntry[] = [];
  let total: number;
  let limit: number | undefined;
  try {
    const lock = await acquireLock(gcLock(store.root), 'exclusive', signal);
    try {
      const inventory = await takeInventory(store, trees.snapshots);
      const { live, ...others } = readInUse(store.root);
      const inUse = { ...others, live: new Set([...live].filter((name) => name !== lease.id)) };
      // This process' own empty folder is no part of the store.
      inventory.temporary = inventory.temporary.filter(({ path }) => path !== lease.tmp);
      total = inventory.total;
      limit = bytesToKeep(request, total, freeBytes(store.root));
      const plan = planPrune(inventory, inUse, { ...request, root: store.root, limit, now: Date.now() });
      const grave = request.dryRun ? undefined : lease.tmp;
      for (const removal of plan) {
        if (grave === undefined || (await take(store, removal, grave))) removed.push(reported(removal));
      }
      if (grave !== undefined) removeDead(store.root, inUse.dead);
    } finally {
      lock.release();
    }
  } finally {
    await lease.release();
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
async function take(store: Store, removal: Removal, grave: string): Promise<boolean> {
  const { root } = store;
  for (const name of removal.mounts) if (!takeMount(root, name, grave)) return false;
  for (const name of removal.tags) await store.tags.delete(name);
  // A record goes before what it names: at no time does one name a snapshot that is gone.
  for (const path of removal.files) dropRecord(path);
  for (const id of removal.snapshots) moveAway(join(root, 'snapshots', id), grave, `s-${id}`);
  for (const digest of removal.blobs) await store.content.remove(digest);
  for (const [index, path] of removal.leftovers.entries()) {
    moveAway(path, grave, `t-${index}-${path.slice(path.lastIndexOf('/') + 1)}`);
  }
  return true;
}

function moveAway(path: string, grave: string, name: string): void {
  try {
    fs.renameSync(path, join(grave, name));
  } catch (error) {
    // A process that has just ended removed it itself.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function takeMount(root: string, name: string, grave: string): boolean {
  const folder = join(root, 'mounts', name);
  if (!fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    moveAway(folder, grave, `m-${name}`);
    return true;
  }
  const lock = tryLock(join(folder, 'lock'), 'exclusive');
  if (!lock) return false;
  // Who waits for the lock finds another file, or none, under its name afterwards, and makes the folder anew.
  moveAway(folder, grave, `m-${name}`);
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
