/** Writes one stream to where the user wants it: a stream, the standard output, or a file that appears whole. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TsbuildError } from '@tsbuild/core';
import { makeFolders } from '@tsbuild/executor';
import { AT_FDCWD, close, constants, openat2, removeTree } from '@tsbuild/native';
import type { FileDestination } from '../api/types.js';
import { outputStreamError } from '../engine/stream-error.js';

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
  if (typeof destination !== 'string') return await writeStream(destination, bytes, signal);
  try {
    const stat = statOf(destination);
    if (stat !== undefined && !stat.isFile() && !stat.isDirectory())
      return await pipeline(source(bytes), fs.createWriteStream(destination), { signal });
    // A link keeps pointing to what it points to.
    const path = stat?.isFile() ? fs.realpathSync(destination) : resolve(destination);
    makeFolders(dirname(path));
    const temporary = temporaryName(path);
    try {
      await pipeline(source(bytes), fs.createWriteStream(temporary, { flags: 'wx' }), { signal });
      fs.renameSync(temporary, path);
    } catch (error) {
      fs.rmSync(temporary, { force: true });
      throw error;
    }
  } catch (error) {
    throw destinationError(destination, error as NodeJS.ErrnoException);
  }
}

async function writeStream(
  destination: Writable,
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  let sourceFailed = false;
  // Not `yield*`: newer versions of Node throw the destination's error into the source.
  async function* watched() {
    const iterator = bytes[Symbol.asyncIterator]();
    const next = () =>
      iterator.next().catch((error: unknown) => {
        sourceFailed = true;
        throw error;
      });
    try {
      for (let step = await next(); !step.done; step = await next()) yield step.value;
    } finally {
      await iterator.return?.();
    }
  }
  try {
    await pipeline(source(watched()), destination, { signal });
  } catch (error) {
    throw sourceFailed || signal.aborted ? error : outputStreamError(error as Error);
  }
}

/**
 * Lets `write` fill a folder. One that is new appears whole, by a rename, or not at all; into one that exists it
 * is written directly, beside and over what is there.
 * @throws TsbuildError TSB_STORE_OUTPUT
 */
export async function writeFolder(
  destination: string,
  write: (folder: string) => Promise<void>,
): Promise<void> {
  try {
    const path = resolve(destination);
    if (statOf(path)) return await write(path);
    makeFolders(dirname(path));
    const temporary = temporaryName(path);
    try {
      await write(temporary);
      fs.renameSync(temporary, path);
    } catch (error) {
      await removeFolder(temporary);
      throw error;
    }
  } catch (error) {
    throw destinationError(destination, error as NodeJS.ErrnoException);
  }
}

function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path).slice(0, 200)}.${randomBytes(6).toString('hex')}.tmp`);
}

/** Names in it can be any bytes, which Node's own removal does not take. */
async function removeFolder(path: string): Promise<void> {
  if (!fs.existsSync(path)) return;
  const parent = openat2(AT_FDCWD, dirname(path), constants.O_RDONLY | constants.O_DIRECTORY, 0, 0);
  try {
    await removeTree(parent, basename(path));
  } finally {
    close(parent);
  }
}

/** What an archive is to be written to: a file, or where it is wanted as a folder, one. @throws TsbuildError TSB_USAGE_* */
export function checkArchiveDestination(destination: FileDestination, folder: boolean): void {
  if (!folder) checkDestination(destination);
  else if (typeof destination !== 'string' || destination === '-') {
    throw new TsbuildError(
      'TSB_USAGE_DESTINATION',
      'a folder is to be written, and the destination is a stream',
      {
        hint: 'Give dest= the name of a folder.',
      },
    );
  }
}

/** Before the build: a destination that cannot work is said at once. */
function checkDestination(destination: FileDestination): void {
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
  // Node says `CODE: reason, call 'path'`, the addon `CODE: Reason`.
  const why = error.message.replace(/^[A-Z]+: /, '').replace(/, [a-z]+( '.*)?$/, '');
  return new TsbuildError(
    'TSB_STORE_OUTPUT',
    `cannot write ${path}: ${why.charAt(0).toLowerCase()}${why.slice(1)}`,
    {
      hint: 'Name a place that you may write to and that has room.',
      cause: error,
    },
  );
}
