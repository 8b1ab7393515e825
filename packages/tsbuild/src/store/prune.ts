/**
 * Removes what no image needs and no live process uses. Under the gc lock it decides and takes things out of sight
 * (a record unlinked, a snapshot renamed away); the slow removal of trees follows without the lock. A crash in
 * between leaves trees in tmp/ that the next prune removes.
 */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { Digest } from '@tsbuild/core';
import { AT_FDCWD, close, constants, openat2, removeTree } from '@tsbuild/native';
import { removeStaleIngest } from '@tsbuild/registry';
import type { PruneOptions, PruneResult } from '../api/types.js';
import type { OperationContext } from '../engine/context.js';
import { heldSnapshots } from './held.js';
import { type Inventory, takeInventory } from './inventory.js';
import { acquireLock } from './lock.js';
import { gcLock, openStore, type Store } from './open.js';
import { type LiveLease, readLeases } from './protect.js';
import { dropRecord, listRecords } from './record-file.js';

export async function prune(options: PruneOptions, { emit, signal }: OperationContext): Promise<PruneResult> {
  const store = await openStore({ root: options.root, warn: (message) => emit({ type: 'notice', message }) });
  const lock = await acquireLock(gcLock(store.root), 'exclusive', signal);
  const grave = join(store.root, 'tmp', `prune-${randomBytes(6).toString('hex')}`);
  let result: PruneResult;
  try {
    const { live, dead } = readLeases(store.root);
    const inventory = await takeInventory(store);
    const plan = planPrune(inventory, { live, held: heldSnapshots(store.root) }, options, Date.now());
    result = {
      records: plan.records.length,
      snapshots: plan.snapshots.length,
      blobs: plan.blobs.length,
      bytes: plan.bytes,
    };
    if (options.dryRun) return result;
    await take(store, plan, grave);
    removeDead(store.root, dead, live.length === 0, grave);
    // Who writes a blob has a lease: what is older than all of them nobody goes on with.
    const untouchedMs =
      live.length === 0 ? -Infinity : Date.now() - Math.min(...live.map(({ since }) => since));
    result.bytes += await removeStaleIngest(join(store.root, 'oci'), untouchedMs);
  } finally {
    lock.release();
  }
  await removePath(join(store.root, 'tmp'), grave.slice(join(store.root, 'tmp').length + 1));
  return result;
}

export interface PrunePlan {
  /** Names of images, with --all. */
  tags: string[];
  /** Paths of record files. */
  records: string[];
  snapshots: string[];
  blobs: Digest[];
  mounts: string[];
  bytes: number;
}

export interface InUse {
  live: readonly LiveLease[];
  held: ReadonlySet<string>;
}

/** Decides what goes; pure. */
export function planPrune(
  inventory: Inventory,
  { live, held }: InUse,
  options: Pick<PruneOptions, 'all' | 'unusedForMs' | 'keepBytes'>,
  now: number,
): PrunePlan {
  const oldestLive = Math.min(...live.map(({ since }) => since));
  const cutoff = Math.min(now - (options.unusedForMs ?? 0), oldestLive);
  const plan: PrunePlan = { tags: [], records: [], snapshots: [], blobs: [], mounts: [], bytes: 0 };
  // While a build runs, its images are about to be named, and its cache mounts are in use.
  if (options.all && live.length === 0) plan.tags = inventory.images.map(({ name }) => name);

  const budget = options.keepBytes === undefined ? undefined : usedBytes(inventory) - options.keepBytes;
  const candidates = [
    ...inventory.records.map((record) => ({ kind: 'record' as const, usedAt: record.usedAt, record })),
    ...inventory.names.map((name) => ({ kind: 'name' as const, usedAt: name.usedAt, name })),
    ...[...inventory.mounts].map(([id, { usedAt, bytes }]) => ({
      kind: 'mount' as const,
      usedAt,
      id,
      bytes,
    })),
  ].sort((a, b) => a.usedAt - b.usedAt);

  const snapshotUsers = countUsers(
    inventory.records.map(({ ref }) => new Set(ref.layers.map((layer) => layer.snapshot as string))),
  );
  const blobUsers = countUsers([
    ...inventory.images.filter(({ name }) => !plan.tags.includes(name)).map(({ blobs }) => blobs),
    ...inventory.names.map(({ blobs }) => blobs),
  ]);
  const dropSnapshot = (id: string) => {
    const measured = inventory.snapshots.get(id);
    if (!measured || held.has(id) || measured.usedAt >= cutoff) return;
    plan.snapshots.push(id);
    plan.bytes += measured.bytes;
  };
  const dropBlob = (digest: Digest) => {
    const measured = inventory.blobs.get(digest);
    if (!measured || measured.usedAt >= cutoff) return;
    plan.blobs.push(digest);
    plan.bytes += measured.bytes;
  };

  // What nothing refers to goes first, whatever the budget says.
  for (const id of inventory.snapshots.keys()) if (!snapshotUsers.has(id)) dropSnapshot(id);
  for (const digest of inventory.blobs.keys()) if (!blobUsers.has(digest)) dropBlob(digest);

  for (const candidate of candidates) {
    if (candidate.usedAt >= cutoff) break;
    if (budget !== undefined && plan.bytes >= budget) break;
    if (candidate.kind === 'record') {
      const ids = new Set(candidate.record.ref.layers.map((layer) => layer.snapshot as string));
      if ([...ids].some((id) => held.has(id))) continue;
      plan.records.push(candidate.record.path);
      for (const id of release(snapshotUsers, ids)) dropSnapshot(id);
    } else if (candidate.kind === 'name') {
      plan.records.push(candidate.name.path);
      for (const digest of release(blobUsers, candidate.name.blobs)) dropBlob(digest);
    } else if (live.length === 0) {
      plan.mounts.push(candidate.id);
      plan.bytes += candidate.bytes;
    }
  }
  return plan;
}

function countUsers<T>(sets: Iterable<ReadonlySet<T>>): Map<T, number> {
  const users = new Map<T, number>();
  for (const set of sets) for (const item of set) users.set(item, (users.get(item) ?? 0) + 1);
  return users;
}

/** One user less for each; returns those without any. */
function release<T>(users: Map<T, number>, items: Iterable<T>): T[] {
  const free: T[] = [];
  for (const item of items) {
    const left = (users.get(item) ?? 1) - 1;
    users.set(item, left);
    if (left === 0) free.push(item);
  }
  return free;
}

function usedBytes({ snapshots, blobs, mounts }: Inventory): number {
  let bytes = 0;
  for (const group of [snapshots, blobs, mounts]) for (const item of group.values()) bytes += item.bytes;
  return bytes;
}

async function take(store: Store, plan: PrunePlan, grave: string): Promise<void> {
  fs.mkdirSync(grave, { mode: 0o700 });
  for (const name of plan.tags) await store.tags.delete(name);
  // A record goes before what it names: at no time does one name a snapshot that is gone.
  for (const path of plan.records) dropRecord(path);
  for (const id of plan.snapshots) fs.renameSync(join(store.root, 'snapshots', id), join(grave, `s-${id}`));
  for (const id of plan.mounts) fs.renameSync(join(store.root, 'mounts', id), join(grave, `m-${id}`));
  for (const digest of plan.blobs) await store.content.remove(digest);
  // What these say about blobs is asked of the blobs each time; they only have to not pile up.
  const gone = new Set(plan.blobs.map((digest) => digest.slice('sha256:'.length)));
  for (const path of ['cache/layers', 'cache/blobs'].flatMap((folder) =>
    listRecords(join(store.root, folder)),
  )) {
    if (gone.size > 0 && namesGoneBlob(path, gone)) dropRecord(path);
  }
}

function namesGoneBlob(path: string, gone: ReadonlySet<string>): boolean {
  const [, digest] = /"sha256:([0-9a-f]{64})"/.exec(fs.readFileSync(path, 'utf8')) ?? [];
  return digest !== undefined && gone.has(digest);
}

/** Leases of processes that are gone, and the temporary folders they left. */
function removeDead(root: string, dead: string[], noneLive: boolean, grave: string): void {
  for (const name of dead) {
    const leftover = join(root, 'tmp', name);
    if (fs.existsSync(leftover)) fs.renameSync(leftover, join(grave, `t-${name}`));
    fs.rmSync(join(root, 'leases', name), { force: true, recursive: true });
  }
  if (!noneLive) return;
  for (const name of fs.readdirSync(join(root, 'tmp'))) {
    const path = join(root, 'tmp', name);
    if (path !== grave) fs.renameSync(path, join(grave, `t-${name}`));
  }
}

async function removePath(parent: string, name: string): Promise<void> {
  const fd = openat2(AT_FDCWD, parent, constants.O_RDONLY | constants.O_DIRECTORY, 0, 0);
  try {
    await removeTree(fd, name);
  } finally {
    close(fd);
  }
}
