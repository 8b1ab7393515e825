/** Flags of `tsbuild check` and `build --call` to the options of check(), outline() and targets(). */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { TsbuildError } from '@tsbuild/core';
import type { DockerfileOptions } from '../api/types.js';
import { registryOptions, storeOptions, textPairs } from './build-options.js';
import type { Io } from './io.js';
import type { Args } from './parse.js';
import { readAll } from './stdin.js';
import { parsePlatforms, parseVariables } from './values.js';

export async function describeOptions(args: Args, io: Io): Promise<DockerfileOptions> {
  const target = args.string('target');
  return {
    ...storeOptions(args),
    ...registryOptions(args),
    ...(await source(args, io)),
    ...(target ? { target } : {}),
    buildArgs: parseVariables('build-arg', args.list('build-arg'), io.env),
    ...(args.has('build-context')
      ? { buildContexts: textPairs('build-context', args.list('build-context'), true) }
      : {}),
    ...(args.has('platform') ? { platforms: parsePlatforms(args.list('platform')) } : {}),
    signal: io.signal,
  };
}

type Source = Pick<DockerfileOptions, 'context' | 'dockerfile' | 'dockerfileText'>;

/** As for build; besides, CONTEXT may be the Dockerfile itself, which keeps its name in what is said of it. */
async function source(args: Args, io: Io): Promise<Source> {
  const context = args.positionals[0] ?? '.';
  const file = args.string('file');
  if (file === '-' && context === '-') {
    throw new TsbuildError(
      'TSB_USAGE_STDIN_TWICE',
      'standard input cannot be both the context and the Dockerfile',
      { hint: 'Give one of them as a path.' },
    );
  }
  const near = context === '-' || !statSync(resolve(io.cwd, context), { throwIfNoEntry: false });
  const place = near ? context : resolve(io.cwd, context);
  if (file === '-') return { context: place, dockerfileText: await readAll(io.stdin, io.signal) };
  if (file !== undefined) return { context: place, dockerfile: file };
  if (!near && isText(place)) return { dockerfile: context };
  return { context: place };
}

/** A file that begins like text: tar archives and compressed ones have NUL or control bytes at once. */
function isText(path: string): boolean {
  if (!statSync(path).isFile()) return false;
  const fd = openSync(path, 'r');
  try {
    const head = Buffer.alloc(512);
    const size = readSync(fd, head, 0, head.length, 0);
    return head.subarray(0, size).every((byte) => byte >= 0x20 || (byte >= 0x09 && byte <= 0x0d));
  } finally {
    closeSync(fd);
  }
}
