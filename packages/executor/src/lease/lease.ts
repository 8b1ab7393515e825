/**
 * Leases: which snapshots live processes use. A lease is the file leases/<id>, locked exclusively for the life of
 * its process, with one snapshot id a line. An id is written before the snapshot is used or made, under a shared
 * lock of locks/gc.lock; prune holds that lock exclusively while it reads the leases and takes snapshots away. So
 * what a lease names and `use` found there stays. The kernel drops a dead process's lock; its lease and its
 * folder tmp/<id> are then garbage for prune.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, readFileSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import * as native from '@tsbuild/native';
import type { SnapshotId } from '@tsbuild/solver';
import { tryLock, withLock } from './lock.js';

export interface Lease {
  readonly id: string;
  /** Folder for temporary things, gone with `release`. */
  readonly tmp: string;
  /** Notes the ids; then, before prune can act, what `check` says. */
  use<T>(ids: readonly SnapshotId[], check: () => T): Promise<T>;
  release(): Promise<void>;
}

const gcLock = (root: string) => join(root, 'locks', 'gc.lock');

export async function acquireLease(root: string): Promise<Lease> {
  for (const folder of ['locks', 'leases', 'tmp'])
    mkdirSync(join(root, folder), { recursive: true, mode: 0o700 });
  const { id, fd, path, tmp } = await withLock(gcLock(root), 'shared', undefined, () => take(root));
  const noted = new Set<SnapshotId>();
  let released = false;
  return {
    id,
    tmp,
    use: (ids, check) =>
      withLock(gcLock(root), 'shared', undefined, () => {
        const fresh = ids.filter((each) => !noted.has(each));
        if (fresh.length > 0) writeSync(fd, fresh.map((each) => `${each}\n`).join(''));
        for (const each of fresh) noted.add(each);
        return check();
      }),
    async release() {
      if (released) return;
      released = true;
      try {
        // Not Node's rm, which cannot remove what is deeper than a path may be long.
        await native.removeTree(native.AT_FDCWD, tmp);
      } finally {
        rmSync(path, { force: true });
        closeSync(fd);
      }
    },
  };
}

/** Who looks which leases live may hold a new one's lock for that moment: then another name is tried. */
function take(root: string): { id: string; fd: number; path: string; tmp: string } {
  for (;;) {
    const id = `snapshots-${randomBytes(8).toString('hex')}`;
    const path = join(root, 'leases', id);
    const tmp = join(root, 'tmp', id);
    const fd = tryLock(path, 'exclusive');
    if (fd === undefined) continue;
    mkdirSync(tmp, { mode: 0o700 });
    return { id, fd, path, tmp };
  }
}

export interface Leases {
  /** Snapshots that live processes use. */
  snapshots: Set<SnapshotId>;
  live: string[];
  /** Of processes that are gone. */
  dead: string[];
}

/** To be called with locks/gc.lock held exclusively. */
export function liveLeases(root: string): Leases {
  const leases: Leases = { snapshots: new Set(), live: [], dead: [] };
  const folder = join(root, 'leases');
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const fd = tryLock(path, 'shared');
    if (fd !== undefined) {
      closeSync(fd);
      leases.dead.push(name);
      continue;
    }
    leases.live.push(name);
    for (const line of readLines(path)) leases.snapshots.add(line as SnapshotId);
  }
  return leases;
}

/** Empty where the lease was released meanwhile. */
function readLines(path: string): string[] {
  try {
    // A line that is being written has no end yet; its writer waits for our lock before it relies on it.
    return readFileSync(path, 'utf8').split('\n').slice(0, -1);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
