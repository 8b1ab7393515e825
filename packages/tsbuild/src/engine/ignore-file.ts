/** Finds and reads the ignore file of a folder. */
import { basename, join } from 'node:path';
import { parseIgnoreFile, PatternMatcher, TsbuildError } from '@tsbuild/core';
import { type ContextSource, readTextInFolder } from '@tsbuild/executor';
import type { DockerfileSource } from './dockerfile.js';

/** `<Dockerfile>.dockerignore` beside the Dockerfile, else `.dockerignore` in the context's root. */
export function ignoreOf(
  folder: string,
  dockerfile: DockerfileSource['place'],
): Pick<ContextSource, 'ignore'> {
  const own = dockerfile && { folder: dockerfile.folder, file: `${dockerfile.file}.dockerignore` };
  for (const place of [...(own ? [own] : []), { folder, file: '.dockerignore' }]) {
    const text = readIgnoreFile(place)?.toString('utf8');
    if (text === undefined) continue;
    const patterns = parseIgnoreFile(text);
    checkPatterns(patterns, text, join(place.folder, place.file));
    return { ignore: { patterns, file: basename(place.file) } };
  }
  return {};
}

/** So that a wrong pattern is said with its place. @throws TsbuildError TSB_CONTEXT_BAD_PATTERN */
function checkPatterns(patterns: readonly string[], text: string, path: string): void {
  for (const pattern of patterns) {
    try {
      new PatternMatcher([pattern]);
    } catch (error) {
      if (!TsbuildError.is(error)) throw error;
      const line = text.split('\n').findIndex((each) => parseIgnoreFile(each).includes(pattern)) + 1;
      const { code, hint } = error;
      throw new TsbuildError(code, `${path}:${line}: ${error.message}`, hint === undefined ? {} : { hint });
    }
  }
}

function readIgnoreFile({ folder, file }: { folder: string; file: string }): Buffer | undefined {
  const path = join(folder, file);
  try {
    return readTextInFolder(folder, file, path);
  } catch (error) {
    if (TsbuildError.is(error)) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    // BuildKit passes over it.
    if (code === 'EISDIR') return undefined;
    throw new TsbuildError('TSB_CONTEXT_IGNORE_FILE', `cannot read ${path}: ${message}`, {
      hint: 'The ignore file must be a file that you may read.',
      cause: error,
    });
  }
}
