/** The Dockerfile of a folder, read for `tsbuild check`, which looks at nothing else. */
import { readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { TsbuildError } from '@tsbuild/core';
import type { Io } from './io.js';
import type { Args } from './parse.js';
import { readAll } from './stdin.js';

/** CONTEXT may be a folder, the Dockerfile itself, or `-`; --file as for build. */
export async function dockerfileText(args: Args, io: Io): Promise<{ text: string; name: string }> {
  const file = args.string('file');
  const context = args.positionals[0] ?? '.';
  if (file === '-' || (file === undefined && context === '-'))
    return { text: await readAll(io.stdin, io.signal), name: '-' };
  const path = file ?? (isFolder(resolve(io.cwd, context)) ? join(context, 'Dockerfile') : context);
  try {
    return { text: readFileSync(resolve(io.cwd, path), 'utf8'), name: path };
  } catch (cause) {
    throw new TsbuildError('TSB_CONTEXT_NO_DOCKERFILE', `failed to read the Dockerfile ${path}`, {
      cause,
      hint: 'Name it with -f FILE.',
    });
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
