/** What live processes use. For a decision, ask with the gc lock held exclusively. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { liveLeases } from '@tsbuild/executor';
import { tryLock } from './lock.js';
import { blobLeasePrefix } from './protect.js';

export interface InUse {
  /** Ids of snapshots that live processes use or are making. */
  snapshots: ReadonlySet<string>;
  /** Names of leases whose process lives; each may have a folder of that name in tmp/. */
  live: ReadonlySet<string>;
  /** Names of leases whose process is gone. */
  dead: readonly string[];
  /**
   * Blobs, and cache mounts, that were written or used since then may be needed: when the oldest of the processes
   * began that use them. Milliseconds since the epoch; Infinity without any.
   */
  since: number;
}

export function readInUse(root: string): InUse {
  const { snapshots, live, dead } = liveLeases(root);
  const begun = live
    .filter((name) => name.startsWith(blobLeasePrefix))
    .map((name) => fs.statSync(join(root, 'leases', name), { throwIfNoEntry: false })?.birthtimeMs ?? 0);
  return { snapshots, live: new Set(live), dead, since: Math.min(...begun) };
}

/** Whether a step is using a cache mount right now. */
export function isMountBusy(root: string, name: string): boolean {
  const folder = join(root, 'mounts', name);
  if (!fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return false;
  const lock = tryLock(join(folder, 'lock'), 'exclusive');
  lock?.release();
  return lock === undefined;
}
