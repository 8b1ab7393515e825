/**
 * Kernel file locks (flock(2)) in the store: they end with their process, whatever ends it. A lock file may be
 * removed by its last holder, so whoever gets a lock makes sure that the file is still the one under that name.
 */
import { closeSync, constants as fsConstants, fstatSync, openSync, rmSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { constants, tryFlock } from '@tsbuild/native';

/** Milliseconds between tries: at first, and at most. */
const firstWait = 5;
const longestWait = 100;

export type LockMode = 'exclusive' | 'shared';

/** The open descriptor of the lock, or undefined while someone else holds it. Closing it releases the lock. */
export function tryLock(path: string, mode: LockMode): number | undefined {
  const fd = openSync(path, fsConstants.O_RDWR | fsConstants.O_CREAT, 0o600);
  let held = false;
  try {
    held = tryFlock(fd, mode === 'exclusive' ? constants.LOCK_EX : constants.LOCK_SH) && isStill(path, fd);
  } finally {
    if (!held) closeSync(fd);
  }
  return held ? fd : undefined;
}

function isStill(path: string, fd: number): boolean {
  const there = statSync(path, { bigint: true, throwIfNoEntry: false });
  const ours = fstatSync(fd, { bigint: true });
  return there !== undefined && there.ino === ours.ino && there.dev === ours.dev;
}

/** Waits for the lock, does the work, releases. Callers in one process exclude each other too. */
export async function withLock<T>(
  path: string,
  mode: LockMode,
  signal: AbortSignal | undefined,
  work: () => T | Promise<T>,
): Promise<T> {
  for (let wait = firstWait; ; wait = Math.min(wait * 1.5, longestWait)) {
    signal?.throwIfAborted();
    const fd = tryLock(path, mode);
    if (fd !== undefined) {
      try {
        return await work();
      } finally {
        // So the folder does not grow. A shared one may be relied on by others.
        if (mode === 'exclusive') rmSync(path, { force: true });
        closeSync(fd);
      }
    }
    await sleep(wait);
  }
}
