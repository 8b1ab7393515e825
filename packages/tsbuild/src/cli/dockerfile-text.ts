/** The Dockerfile of a folder and its ignore file, read for `tsbuild check`, which looks at nothing else. */
import { readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { PatternMatcher, TsbuildError, parseIgnoreFile } from '@tsbuild/core';
import type { Io } from './io.js';
import type { Args } from './parse.js';
import { readAll } from './stdin.js';

export interface DockerfileText {
  text: string;
  /** As the user named it. */
  name: string;
  ignore?: PatternMatcher;
}

/** CONTEXT may be a folder, the Dockerfile itself, or `-`; --file as for build. */
export async function readDockerfile(args: Args, io: Io): Promise<DockerfileText> {
  const file = args.string('file');
  const context = args.positionals[0] ?? '.';
  const folder = isFolder(resolve(io.cwd, context)) ? context : undefined;
  if (file === '-' || (file === undefined && context === '-')) {
    const text = await readAll(io.stdin, io.signal);
    return { text, name: '-', ...ignoreOf(undefined, folder, io.cwd) };
  }
  const path = file ?? (folder === undefined ? context : join(folder, 'Dockerfile'));
  try {
    return {
      text: readFileSync(resolve(io.cwd, path), 'utf8'),
      name: path,
      ...ignoreOf(path, folder, io.cwd),
    };
  } catch (cause) {
    if (TsbuildError.is(cause)) throw cause;
    throw new TsbuildError('TSB_CONTEXT_NO_DOCKERFILE', `failed to read the Dockerfile ${path}`, {
      cause,
      hint: 'Name it with -f FILE.',
    });
  }
}

/** `NAME.dockerignore` beside the Dockerfile comes before the context's .dockerignore. */
function ignoreOf(
  dockerfile: string | undefined,
  folder: string | undefined,
  cwd: string,
): { ignore?: PatternMatcher } {
  const candidates = [
    ...(dockerfile === undefined ? [] : [`${dockerfile}.dockerignore`]),
    ...(folder === undefined ? [] : [join(folder, '.dockerignore')]),
  ];
  for (const candidate of candidates) {
    const path = resolve(cwd, candidate);
    if (statSync(path, { throwIfNoEntry: false })?.isFile()) {
      return { ignore: new PatternMatcher(parseIgnoreFile(readFileSync(path, 'utf8'))) };
    }
  }
  return {};
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
