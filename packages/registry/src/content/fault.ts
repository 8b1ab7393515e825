/** Faults of the disk that a user can do something about. */
import { storeFull, TsbuildError } from '@tsbuild/core';

/** @param path what was to be read or written */
export function storeFault(error: unknown, path: string): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new TsbuildError('TSB_STORE_NOT_WRITABLE', `the store in ${path} cannot be used: ${message}`, {
      hint: 'Use a folder of your own with --root.',
      cause: error,
    });
  }
  return storeFull(error, path) ?? error;
}
