/** Sources of images and contexts (paths, the standard input, streams) as one open, seekable file. */
import { createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TsbuildError } from '@tsbuild/core';
import { inputStreamError } from '../engine/stream-error.js';
import { temporaryFolder } from '../store/temporary.js';

/**
 * Opens a path, or spools a stream (`-`: the standard input) into a temporary file, for as long as `use` takes.
 * @param root the store, which has the temporary file
 */
export async function withSourceFile<T>(
  source: string | Readable,
  root: string | undefined,
  signal: AbortSignal,
  use: (fd: number) => Promise<T>,
): Promise<T> {
  if (typeof source === 'string' && source !== '-') return withPath(source, use);
  const folder = temporaryFolder(root);
  try {
    const path = join(await folder.path(), 'source');
    const stream = typeof source === 'string' ? process.stdin : source;
    const file = createWriteStream(path, { mode: 0o600 });
    await pipeline(stream, file, { signal }).catch((error: NodeJS.ErrnoException) => {
      const ours = error.syscall === 'write' || error.path === path;
      throw signal.aborted || ours ? error : inputStreamError(error);
    });
    return await withPath(path, use);
  } finally {
    await folder.close();
  }
}

async function withPath<T>(path: string, use: (fd: number) => Promise<T>): Promise<T> {
  const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    throw new TsbuildError(
      'TSB_CONTEXT_SOURCE',
      `cannot read ${path}: ${error.message.replace(/^[A-Z]+: /, '')}`,
      {
        hint: 'Name a file that exists and that you may read.',
        cause: error,
      },
    );
  });
  try {
    return await use(handle.fd);
  } finally {
    await handle.close();
  }
}
