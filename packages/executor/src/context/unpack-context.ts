/** Contexts that come as one file: a tar archive, compressed or not, becomes a folder; anything else is a Dockerfile. */
import { TsbuildError } from '@tsbuild/core';
import * as native from '@tsbuild/native';
import type { Fd } from '@tsbuild/native';
import { withFd } from '../rootfs/open.js';
import { extractArchive } from '../layer/index.js';
import { decompressFile } from '../source/decompress.js';
import { isArchive } from '../source/sniff-tar.js';
import { maxTextBytes, readWhole } from './read-text.js';

/**
 * Unpacks the archive into the folder (which exists and is empty) and returns undefined, or returns the Dockerfile's bytes.
 * Links of the archive never lead out of the folder.
 * @throws TsbuildError TSB_INTEGRITY_BAD_ARCHIVE, TSB_CONTEXT_NO_ARCHIVE
 */
export async function unpackContext(
  file: Fd,
  folder: string,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  if (!(await isArchive(file))) return readText(file);
  const { O_PATH, O_DIRECTORY } = native.constants;
  const owner = { uid: 0, gid: 0 };
  await withFd(native.openat2(native.AT_FDCWD, folder, O_PATH | O_DIRECTORY, 0, 0), (root) =>
    extractArchive(decompressFile(file), root, { owner, signal }),
  );
  return undefined;
}

function readText(file: Fd): Buffer {
  const { size } = native.stat(file, '');
  const text = size > maxTextBytes ? undefined : readWhole(file, 'the context');
  // Text has no NUL; a damaged archive has.
  if (text !== undefined && !text.includes(0)) return text;
  throw new TsbuildError('TSB_CONTEXT_NO_ARCHIVE', 'the context is neither a tar archive nor a Dockerfile', {
    hint: 'Give a folder, a tar (plain, gzip, bzip2, xz or zstd), or a Dockerfile.',
  });
}
