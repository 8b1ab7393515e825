/** Opening things below a root descriptor: links and `..` never lead out of it (openat2(2), RESOLVE_IN_ROOT). */
import * as native from '@tsbuild/native';
import type { Fd, Stat } from '@tsbuild/native';
import { bytesOf, type RawPath } from './raw-path.js';

const { constants } = native;
const followInRoot = constants.RESOLVE_IN_ROOT | constants.RESOLVE_NO_MAGICLINKS;
const noLinks = constants.RESOLVE_IN_ROOT | constants.RESOLVE_NO_MAGICLINKS | constants.RESOLVE_NO_SYMLINKS;

/** Runs `use` and closes the descriptor whatever happens. */
export function withFd<T>(fd: Fd, use: (fd: Fd) => T): T {
  let pending = false;
  try {
    const result = use(fd);
    if (result instanceof Promise) {
      pending = true;
      return result.finally(() => native.close(fd)) as T;
    }
    return result;
  } finally {
    if (!pending) native.close(fd);
  }
}

/** Opens a path, following links inside the root. */
export function openInRoot(root: Fd, path: RawPath, flags: number): Fd {
  return native.openat2(root, path === '' ? '.' : bytesOf(path), flags, 0, followInRoot);
}

/** Opens a path that must hold no links at all: one that resolveInRoot gave, or that a walk listed. */
export function openExact(root: Fd, path: RawPath, flags: number): Fd {
  return native.openat2(root, path === '' ? '.' : bytesOf(path), flags, 0, noLinks);
}

/** A directory by an exact path, for use as the start of other calls. */
export function openDirectory(root: Fd, path: RawPath): Fd {
  return openExact(root, path, constants.O_PATH | constants.O_DIRECTORY);
}

/** Like openDirectory, but can be read with readdir. */
export function openListing(root: Fd, path: RawPath): Fd {
  return openExact(root, path, constants.O_RDONLY | constants.O_DIRECTORY);
}

/** What stands at an exact path (its parents hold no links; the last component is not followed). */
export function statExact(root: Fd, path: RawPath): Stat | undefined {
  const fd = openUnlessMissing(root, path);
  return fd === undefined ? undefined : withFd(fd, (open) => native.stat(open, ''));
}

function openUnlessMissing(root: Fd, path: RawPath): Fd | undefined {
  try {
    return openExact(root, path, constants.O_PATH | constants.O_NOFOLLOW);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** ENOENT, or a component that is no directory. */
export function isMissing(error: unknown): boolean {
  return hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR');
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code;
}

export function typeOf(stat: { mode: number }): number {
  return stat.mode & constants.S_IFMT;
}

export function isDirectory(stat: { mode: number }): boolean {
  return typeOf(stat) === constants.S_IFDIR;
}

export function isRegular(stat: { mode: number }): boolean {
  return typeOf(stat) === constants.S_IFREG;
}
