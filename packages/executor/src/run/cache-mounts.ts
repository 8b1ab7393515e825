/**
 * Directories of RUN --mount=type=cache: `<root>/<sha256 of id and origin>/{lock,id,fs}`. Who uses one holds a kernel
 * lock on `lock`, shared or exclusive, which ends with the process however it ends; prune takes it exclusively.
 * `fs` appears by rename once it is whole, so a crash leaves either no cache or a good one.
 */
import { createHash, randomUUID } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  mkdirSync,
  openSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TsbuildError } from '@tsbuild/core';
import * as native from '@tsbuild/native';
import type { RunMount } from '@tsbuild/solver';

export type CacheMount = Extract<RunMount, { type: 'cache' }>;

export interface CacheSource {
  /** Tells this origin of the initial content from others: it is part of the cache's name. */
  identity: string;
  /** Fills the new directory. */
  fill(directory: string): Promise<void>;
}

export interface HeldCache {
  /** The directory to mount. */
  path: string;
  release(): void;
}

/** Milliseconds between two tries for a lock that another process may hold. */
const retryAfter = 50;

/**
 * Takes the cache that a mount names, making it where it is new.
 * @param root folder of all cache mounts in the store
 * @throws TsbuildError TSB_CANCELLED_STEP when the signal fires while it waits for a locked cache
 */
export async function holdCache(
  root: string,
  mount: CacheMount,
  source: CacheSource | undefined,
  signal: AbortSignal,
): Promise<HeldCache> {
  const name = createHash('sha256')
    .update(JSON.stringify([mount.id, source?.identity ?? '']))
    .digest('hex');
  const exclusive = mount.sharing !== 'shared';
  for (let instance = 0; ; ) {
    const folder = join(root, instance === 0 ? name : `${name}.${instance}`);
    const lock = tryLock(folder, exclusive);
    if (lock !== undefined) {
      try {
        return await prepare(folder, lock, mount, source, exclusive);
      } catch (error) {
        closeSync(lock);
        throw error;
      }
    }
    // Each concurrent user of a private cache gets an own one; the first free is taken.
    if (mount.sharing === 'private') instance++;
    else await wait(signal);
  }
}

async function wait(signal: AbortSignal): Promise<void> {
  try {
    await delay(retryAfter, undefined, { signal });
  } catch {
    throw new TsbuildError('TSB_CANCELLED_STEP', 'the step was cancelled');
  }
}

/** Descriptor of the locked file, or undefined where others hold it. */
function tryLock(folder: string, exclusive: boolean): number | undefined {
  const { LOCK_EX, LOCK_SH } = native.constants;
  const path = join(folder, 'lock');
  mkdirSync(folder, { recursive: true });
  const fd = openSync(path, 'a');
  // A new cache is filled by one, however it is shared afterwards.
  const mode = exclusive || !exists(join(folder, 'fs')) ? LOCK_EX : LOCK_SH;
  if (native.tryFlock(fd, mode) && isSameFile(fd, path)) return fd;
  closeSync(fd);
  return undefined;
}

/** False where prune removed the file between our opening and our locking it. */
function isSameFile(fd: number, path: string): boolean {
  const named = native.statOrUndefined(native.AT_FDCWD, path);
  return named !== undefined && named.ino === native.stat(fd, '').ino;
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

async function prepare(
  folder: string,
  lock: number,
  mount: CacheMount,
  source: CacheSource | undefined,
  exclusive: boolean,
): Promise<HeldCache> {
  const path = join(folder, 'fs');
  if (!exists(path)) {
    const fresh = join(folder, `fs.${randomUUID()}`);
    mkdirSync(fresh);
    if (source) await source.fill(fresh);
    else {
      chownSync(fresh, mount.uid, mount.gid);
      chmodSync(fresh, mount.mode);
    }
    writeFileSync(join(folder, 'id'), mount.id);
    renameSync(fresh, path);
  }
  if (!exclusive) native.tryFlock(lock, native.constants.LOCK_SH);
  const now = new Date();
  utimesSync(folder, now, now);
  let held = true;
  const release = () => {
    if (held) closeSync(lock);
    held = false;
  };
  return { path, release };
}
