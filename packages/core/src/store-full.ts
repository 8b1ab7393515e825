/** A full disk, wherever it was met. */
import { TsbuildError } from './errors.js';

/**
 * The error that says so, or undefined for any other error.
 * @param path what was to be written; the path that the system call names comes first
 */
export function storeFull(error: unknown, path: string): TsbuildError | undefined {
  if (TsbuildError.is(error)) return undefined;
  const { code, path: named } = error as NodeJS.ErrnoException;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return undefined;
  const what = code === 'ENOSPC' ? 'no space left on the disk' : 'the disk quota is used up';
  const where = typeof named === 'string' && named.startsWith('/') ? named : path;
  return new TsbuildError('TSB_STORE_FULL', `${what}: cannot write ${where}`, {
    hint: 'Free some with `tsbuild prune`, or put the store elsewhere with --root.',
    cause: error,
  });
}
