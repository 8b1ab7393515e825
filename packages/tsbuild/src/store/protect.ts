/**
 * Leases: a locked file in leases/ says that a process which uses the store is alive; the kernel drops the lock with
 * the process. Whatever was written or used since the oldest live lease began is out of prune's reach.
 */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { acquireLock, type HeldLock, tryLock } from './lock.js';
import { gcLock, type Store } from './open.js';

/** Keeps prune away from all blobs that this process writes or finds from now on. */
export async function protect(store: Store): Promise<HeldLock> {
  const gate = await acquireLock(gcLock(store.root), 'shared');
  try {
    const path = join(store.root, 'leases', `blobs-${randomBytes(8).toString('hex')}`);
    const lease = tryLock(path, 'exclusive');
    if (!lease) throw new Error(`a lease with a fresh name is taken: ${path}`);
    return lease;
  } finally {
    gate.release();
  }
}

export interface LiveLease {
  path: string;
  /** Milliseconds since the epoch. */
  since: number;
}

/** Splits the leases into live ones and those whose process is gone. Call it with the gc lock held exclusively. */
export function readLeases(root: string): { live: LiveLease[]; dead: string[] } {
  const live: LiveLease[] = [];
  const dead: string[] = [];
  for (const name of fs.readdirSync(join(root, 'leases'))) {
    const path = join(root, 'leases', name);
    const stat = fs.statSync(path, { throwIfNoEntry: false });
    if (!stat) continue;
    const lock = stat.isFile() ? tryLock(path, 'shared') : undefined;
    lock?.release();
    if (lock) dead.push(name);
    else live.push({ path, since: stat.birthtimeMs });
  }
  return { live, dead };
}
