/**
 * Leases: a locked file in leases/ says that a process which uses the store is alive; the kernel drops the lock with
 * the process. Whatever was written or used since the oldest live lease began is out of prune's reach.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { acquireLock, type HeldLock, tryLock } from './lock.js';
import { gcLock, type Store } from './open.js';

export const blobLeasePrefix = 'blobs-';

/** Keeps prune away from all blobs that this process writes or finds from now on. */
export async function protect(store: Store): Promise<HeldLock> {
  const gate = await acquireLock(gcLock(store.root), 'shared');
  try {
    for (;;) {
      const path = join(store.root, 'leases', `${blobLeasePrefix}${randomBytes(8).toString('hex')}`);
      // Who looks which leases live may hold a new one's lock for that moment: then another name is tried.
      const lease = tryLock(path, 'exclusive');
      if (lease) return lease;
    }
  } finally {
    gate.release();
  }
}
