/** Loads the compiled addon; see index.d.ts for what it offers. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const addonPath = fileURLToPath(new URL('./build/Release/tsbuild.node', import.meta.url));

/** Shaped like core's TsbuildError, which this package cannot import, so that it is shown as an error of the user's host. */
class NativeMissingError extends Error {
  name = 'TsbuildError';
  code = 'TSB_HOST_NATIVE_MISSING';
  hint = 'Run: npm run build:native';
  retryable = false;
  [Symbol.for('tsbuild.error')] = true;

  with() {
    return this;
  }
}

function load() {
  try {
    return createRequire(import.meta.url)(addonPath);
  } catch (cause) {
    const reason =
      cause?.code === 'MODULE_NOT_FOUND' ? 'is not compiled' : `cannot be loaded: ${cause?.message}`;
    throw new NativeMissingError(`the native addon ${addonPath} ${reason}`, { cause });
  }
}

const addon = load();

export class CancelToken {
  /** Read by the pool's threads while they work; an ArrayBuffer of its own, so that it never moves. */
  flag = new Uint8Array(new ArrayBuffer(1));

  cancel() {
    this.flag[0] = 1;
  }
}

/**
 * Calls work with a cancel flag that follows the token or AbortSignal, and takes its listener off again.
 */
function cancellable(cancel, work) {
  if (cancel === undefined) return work(undefined);
  if (cancel instanceof CancelToken) return work(cancel.flag);
  const token = new CancelToken();
  if (cancel.aborted) token.cancel();
  const listener = () => token.cancel();
  cancel.addEventListener('abort', listener, { once: true });
  return work(token.flag).finally(() => cancel.removeEventListener('abort', listener));
}

export const {
  AT_FDCWD,
  constants,
  openat2,
  close,
  stat,
  statOrUndefined,
  readdir,
  readlinkat,
  mkdirat,
  mknodat,
  symlinkat,
  linkat,
  unlinkat,
  renameat2,
  chownat,
  chmodat,
  utimesat,
  listXattrs,
  setXattr,
  removeXattr,
  tryFlock,
  fsync,
  syncfs,
  statfs,
  removeTree,
  mountOverlay,
  cloneTree,
} = addon;

export const copyData = (source, destination, cancel) =>
  cancellable(cancel, (flag) => addon.copyData(source, destination, flag));

export const hashFiles = (dirfd, names, cancel, headers) =>
  cancellable(cancel, (flag) => addon.hashFiles(dirfd, names, flag, headers));

export const walk = (dirfd, path, options, cancel) =>
  cancellable(cancel, (flag) => addon.walk(dirfd, path, options, flag));

export const copyFiles = (sourceRoot, destinationRoot, items, options, cancel) =>
  cancellable(cancel, (flag) => addon.copyFiles(sourceRoot, destinationRoot, items, options, flag));

export const helperPath = fileURLToPath(new URL('./build/tsbuild-helper', import.meta.url));
