/** Writes one stream to where the user wants it: a stream, the standard output, or a file that appears whole. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TsbuildError } from '@tsbuild/core';
import { makeFolders } from '@tsbuild/executor';
import type { FileDestination } from '../api/types.js';

/**
 * A path gets its bytes under a temporary name beside it and is renamed at the end, so a failed or aborted build
 * leaves what was there before. Something at the path that is no regular file (a fifo, /dev/null) is written to.
 */
export async function writeDestination(
  destination: FileDestination,
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  if (destination === '-') return await pipeline(source(bytes), process.stdout, { end: false, signal });
  if (typeof destination !== 'string') return await pipeline(source(bytes), destination, { signal });
  if (isSpecial(destination))
    return await pipeline(source(bytes), fs.createWriteStream(destination), { signal });
  const temporary = join(
    dirname(destination),
    `.${basename(destination)}.${randomBytes(6).toString('hex')}.tmp`,
  );
  await writeFolder(destination, async () => makeFolders(dirname(destination)));
  try {
    await pipeline(source(bytes), fs.createWriteStream(temporary, { flags: 'wx' }), { signal });
    fs.renameSync(temporary, destination);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw destinationError(destination, error as NodeJS.ErrnoException);
  }
}

/** Runs what writes into a folder that the user named; its failures say so. @throws TsbuildError TSB_STORE_OUTPUT */
export async function writeFolder(folder: string, write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    throw destinationError(folder, error as NodeJS.ErrnoException);
  }
}

/** Before the build: a destination that cannot work is said at once. */
export function checkDestination(destination: FileDestination): void {
  if (destination === '-' && process.stdout.isTTY) {
    throw new TsbuildError('TSB_USAGE_TERMINAL', 'the output would go to the terminal', {
      hint: 'Redirect it (`> image.tar`), or give dest= a file name.',
    });
  }
  if (typeof destination === 'string' && destination !== '-' && isFolder(destination)) {
    throw new TsbuildError('TSB_USAGE_DESTINATION', `the destination ${destination} is a folder`, {
      hint: 'Name a file, or use an output type that writes folders (type=local, or type=oci,tar=false).',
    });
  }
}

const source = (bytes: AsyncIterable<Uint8Array>): Readable => Readable.from(bytes, { objectMode: false });

function isFolder(path: string): boolean {
  return statOf(path)?.isDirectory() ?? false;
}

function isSpecial(path: string): boolean {
  const stat = statOf(path);
  return stat !== undefined && !stat.isFile() && !stat.isDirectory();
}

/** Whatever keeps it from being looked at keeps it from being written, which says so. */
function statOf(path: string): fs.Stats | undefined {
  try {
    return fs.statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function destinationError(path: string, error: NodeJS.ErrnoException): Error {
  if (
    ![
      'EACCES',
      'EPERM',
      'EROFS',
      'ENOSPC',
      'EISDIR',
      'ENOTDIR',
      'EEXIST',
      'EDQUOT',
      'ENOENT',
      'ENAMETOOLONG',
    ].includes(error.code ?? '')
  )
    return error;
  const why = error.message.replace(/^[A-Z]+: /, '').replace(/, [a-z]+ '.*$/, '');
  return new TsbuildError('TSB_STORE_OUTPUT', `cannot write ${path}: ${why}`, {
    hint: 'Name a place that you may write to and that has room.',
    cause: error,
  });
}
