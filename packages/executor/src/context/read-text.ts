/** A Dockerfile or an ignore file, read from a folder whose content is a stranger's. */
import { readSync } from 'node:fs';
import { TsbuildError } from '@tsbuild/core';
import * as native from '@tsbuild/native';
import { isDirectory, isMissing, isRegular, openInRoot, withFd } from '../rootfs/open.js';
import { rawPath } from '../rootfs/raw-path.js';

/** Longest text that is read, bytes. */
export const maxTextBytes = 16 * 1024 * 1024;

/**
 * Links are followed inside the folder: one that leads out of it finds nothing (as BuildKit, whose daemon is only sent
 * what lies in the folder).
 * @param path relative to the folder
 * @param shown what messages call it
 * @returns undefined where there is no such file
 * @throws TsbuildError TSB_CONTEXT_TEXT_FILE for what is no regular file, or too long; system errors else
 */
export function readTextInFolder(folder: string, path: string, shown: string): Buffer | undefined {
  const { O_RDONLY, O_NONBLOCK, O_PATH, O_DIRECTORY } = native.constants;
  try {
    return withFd(native.openat2(native.AT_FDCWD, folder, O_PATH | O_DIRECTORY, 0, 0), (root) =>
      // A fifo would wait for a writer.
      withFd(openInRoot(root, rawPath(Buffer.from(path)), O_RDONLY | O_NONBLOCK), (fd) =>
        readWhole(fd, shown),
      ),
    );
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** @throws TsbuildError TSB_CONTEXT_TEXT_FILE */
export function readWhole(fd: native.Fd, shown: string): Buffer {
  const stat = native.stat(fd, '');
  if (isDirectory(stat)) throw Object.assign(new Error(`${shown} is a folder`), { code: 'EISDIR' });
  if (!isRegular(stat)) throw unfit(shown, 'it is no regular file');
  if (stat.size > maxTextBytes) throw unfit(shown, `it is longer than ${maxTextBytes / 1024 / 1024} MiB`);
  const bytes = Buffer.alloc(Number(stat.size));
  return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0));
}

function unfit(shown: string, why: string): TsbuildError {
  return new TsbuildError('TSB_CONTEXT_TEXT_FILE', `cannot read ${shown}: ${why}`, {
    hint: 'Give a regular text file.',
  });
}
