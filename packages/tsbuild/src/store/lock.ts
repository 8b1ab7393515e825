/**
 * Kernel file locks under locks/. A lock ends with its process, whatever ends it; a lock file is removed by its
 * holder on release, so the folder does not grow.
 */
import * as fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { constants, tryFlock } from '@tsbuild/native';

/** Milliseconds between tries: at first, and at most. */
const firstWait = 10;
const longestWait = 100;

export interface HeldLock {
  release(): void;
}

/**
 * Waits until the caller holds the lock. Two callers in one process exclude each other too, since each opens the
 * file for itself.
 * @throws what signal.reason says, once aborted
 */
export async function acquireLock(
  path: string,
  mode: 'exclusive' | 'shared',
  signal?: AbortSignal,
): Promise<HeldLock> {
  for (let wait = firstWait; ; wait = Math.min(wait * 1.5, longestWait)) {
    signal?.throwIfAborted();
    const held = tryLock(path, mode);
    if (held) return held;
    await sleep(wait, undefined, signal ? { signal } : {}).catch((error: unknown) => {
      signal?.throwIfAborted();
      throw error;
    });
  }
}

/** One try. Shared locks leave their file behind: another holder may still rely on it. */
export function tryLock(path: string, mode: 'exclusive' | 'shared'): HeldLock | undefined {
  const fd = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600);
  let kept = false;
  try {
    if (!tryFlock(fd, mode === 'exclusive' ? constants.LOCK_EX : constants.LOCK_SH)) return undefined;
    // The file may have been removed by its last holder between our open and our lock.
    if (!isStill(path, fd)) return undefined;
    kept = true;
  } finally {
    if (!kept) fs.closeSync(fd);
  }
  let released = false;
  return {
    release() {
      if (released) return;
      released = true;
      if (mode === 'exclusive') fs.rmSync(path, { force: true });
      fs.closeSync(fd);
    },
  };
}

function isStill(path: string, fd: number): boolean {
  try {
    const ours = fs.fstatSync(fd, { bigint: true });
    const there = fs.statSync(path, { bigint: true });
    return ours.ino === there.ino && ours.dev === there.dev;
  } catch {
    return false;
  }
}
