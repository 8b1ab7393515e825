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
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TsbuildError } from '@tsbuild/core';
import * as native from '@tsbuild/native';
import type { RunMount } from '@tsbuild/solver';
import { hasCode } from '../rootfs/open.js';

export type CacheMount = Extract<RunMount, { type: 'cache' }>;

export interface CacheSource {
  /** Tells this origin of the initial content from others: it is part of the cache's name. */
  identity: string;
  /** Fills the new directory. */
  fill(directory: string): Promise<void>;
}

/**
 * Fills the empty directory of a cache that is new or empty with what was saved of it. False where there is nothing to
 * fill it with; what was written is thrown away then.
 */
export type RestoreCache = (mount: CacheMount, directory: string, signal: AbortSignal) => Promise<boolean>;

export interface CacheOrigins {
  /** Where `from` says what a new cache holds. */
  source?: CacheSource | undefined;
  /** Asked where it does not. */
  restore?: RestoreCache | undefined;
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
  origins: CacheOrigins,
  signal: AbortSignal,
): Promise<HeldCache> {
  const name = nameOf(mount.id, origins.source?.identity);
  const shared = mount.sharing === 'shared';
  for (let instance = 0; ; ) {
    const folder = join(root, instance === 0 ? name : `${name}.${instance}`);
    const lock = tryLock(folder, shared, origins.restore !== undefined);
    if (lock !== undefined) {
      let keeps = false;
      try {
        await prepare(folder, lock, mount, origins, signal);
        // The kernel gives the one lock back before it takes the other: someone may have come in between.
        keeps = !(shared && lock.alone) || tryFlockStill(folder, lock.fd, native.constants.LOCK_SH);
        if (keeps) return heldCache(join(folder, 'fs'), lock.fd);
      } finally {
        if (!keeps) closeSync(lock.fd);
      }
    }
    // Each concurrent user of a private cache gets an own one; the first free is taken.
    if (mount.sharing === 'private') instance++;
    else await wait(signal);
  }
}

function nameOf(id: string, identity = ''): string {
  return createHash('sha256')
    .update(JSON.stringify([id, identity]))
    .digest('hex');
}

/**
 * Takes the cache of an id (one that has no `from`) to read it: steps that share it go on, others wait until it is
 * released.
 * @param patience milliseconds to wait while a step has it for itself
 * @returns undefined where there is none
 */
export async function readCache(
  root: string,
  id: string,
  patience: number,
  signal: AbortSignal,
): Promise<HeldCache | 'taken' | undefined> {
  const folder = join(root, nameOf(id));
  for (const end = performance.now() + patience; ; await wait(signal)) {
    if (!exists(join(folder, 'fs'))) return undefined;
    const held = tryReadLock(folder);
    if (held !== undefined) return held;
    if (performance.now() > end) return 'taken';
  }
}

function tryReadLock(folder: string): HeldCache | undefined {
  let fd: native.Fd;
  try {
    fd = openSync(join(folder, 'lock'), 'r');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  if (tryFlockStill(folder, fd, native.constants.LOCK_SH)) return heldCache(join(folder, 'fs'), fd);
  closeSync(fd);
  return undefined;
}

async function wait(signal: AbortSignal): Promise<void> {
  try {
    await delay(retryAfter, undefined, { signal });
  } catch {
    throw new TsbuildError('TSB_CANCELLED_STEP', 'the step was cancelled');
  }
}

interface Lock {
  fd: number;
  /** Held exclusively. */
  alone: boolean;
}

/**
 * The locked file, or undefined where others hold it.
 * @param fillsEmpty whether an empty cache is to be filled, by one alone; where others use it, it is used as it is
 */
function tryLock(folder: string, shared: boolean, fillsEmpty: boolean): Lock | undefined {
  const { LOCK_EX, LOCK_SH } = native.constants;
  makeFolder(folder);
  const fd = openSync(join(folder, 'lock'), 'a');
  const content = join(folder, 'fs');
  // A new cache is filled by one, however it is shared afterwards.
  const needsAlone = !shared || !exists(content);
  if (needsAlone || (fillsEmpty && isEmpty(content))) {
    if (tryFlockStill(folder, fd, LOCK_EX)) return { fd, alone: true };
  }
  if (!needsAlone && tryFlockStill(folder, fd, LOCK_SH)) return { fd, alone: false };
  closeSync(fd);
  return undefined;
}

/** Also false where prune removed the file between our opening and our locking it. */
function tryFlockStill(folder: string, fd: number, operation: number): boolean {
  if (!native.tryFlock(fd, operation)) return false;
  const named = native.statOrUndefined(native.AT_FDCWD, join(folder, 'lock'));
  return named !== undefined && named.ino === native.stat(fd, '').ino;
}

/** What is no folder there is damage: the cache is new then. */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    rmSync(folder, { force: true });
    mkdirSync(folder, { recursive: true });
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function isEmpty(path: string): boolean {
  try {
    return readdirSync(path).length === 0;
  } catch (error) {
    // Prune took it away.
    if (hasCode(error, 'ENOENT')) return true;
    throw error;
  }
}

async function prepare(
  folder: string,
  lock: Lock,
  mount: CacheMount,
  { source, restore }: CacheOrigins,
  signal: AbortSignal,
): Promise<void> {
  const path = join(folder, 'fs');
  const isNew = !exists(path);
  if (isNew) rmSync(path, { force: true });
  const restored =
    source === undefined &&
    restore !== undefined &&
    lock.alone &&
    (isNew || isEmpty(path)) &&
    (await fill(folder, mount, (directory) => restore(mount, directory, signal)));
  if (isNew && !restored) {
    await fill(folder, mount, async (directory) => {
      if (source) await source.fill(directory);
      else {
        chownSync(directory, mount.uid, mount.gid);
        chmodSync(directory, mount.mode);
      }
      return true;
    });
  }
  const now = new Date();
  utimesSync(folder, now, now);
}

/** Makes the content beside its place and renames it there, over an empty one; nothing is left where `work` says no. */
async function fill(
  folder: string,
  mount: CacheMount,
  work: (directory: string) => Promise<boolean>,
): Promise<boolean> {
  await removeRests(folder);
  const fresh = join(folder, `fs.${randomUUID()}`);
  mkdirSync(fresh);
  let whole = false;
  try {
    if (!(await work(fresh))) return false;
    writeFileSync(join(folder, 'id'), mount.id);
    renameSync(fresh, join(folder, 'fs'));
    whole = true;
  } finally {
    if (!whole) await removeRests(folder);
  }
  return whole;
}

/** What a process that was killed while it filled the cache left; the lock is held exclusively. */
async function removeRests(folder: string): Promise<void> {
  const fd = native.openat2(native.AT_FDCWD, folder, native.constants.O_RDONLY, 0, 0);
  try {
    for (const { name } of native.readdir(fd)) {
      if (name.toString('latin1').startsWith('fs.')) await native.removeTree(fd, name);
    }
  } finally {
    native.close(fd);
  }
}

function heldCache(path: string, lock: number): HeldCache {
  let held = true;
  const release = () => {
    if (held) closeSync(lock);
    held = false;
  };
  return { path, release };
}
