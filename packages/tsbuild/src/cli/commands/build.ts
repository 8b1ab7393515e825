/** `tsbuild build`. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { TsbuildError } from '@tsbuild/core';
import { build } from '../../api/build.js';
import type { BuildOptions, BuildResult } from '../../api/types.js';
import { buildOptions } from '../build-options.js';
import { isPassedOver } from '../cache-spec.js';
import { callOf } from '../call-method.js';
import type { Io } from '../io.js';
import type { Args } from '../parse.js';
import { resourceFlags } from '../spec/build.js';
import { readAll } from '../stdin.js';
import { familiarName } from '../values.js';
import { withProgress } from '../with-progress.js';

export async function run(args: Args, io: Io): Promise<number> {
  const call = callOf(args);
  if (call !== undefined) return await (await import('./call.js')).runCall(call, args, io, true);
  const options: BuildOptions = {
    ...buildOptions(args, { env: io.env, stdoutIsTTY: io.stdout.isTTY === true }),
    ...(await inputs(args, io)),
  };
  return await withProgress(args, io, async (onEvent, quiet) => {
    for (const flag of ['cache-from', 'cache-to'] as const) {
      for (const text of args.list(flag).filter((each) => isPassedOver(flag, each)))
        onEvent({ type: 'notice', message: `--${flag} ${text}: this type is not supported; it is left out` });
    }
    for (const flag of resourceFlags.filter((name) => args.has(name)))
      onEvent({ type: 'notice', message: `--${flag} has no effect: use ulimits, or limit tsbuild itself` });
    const result = await build({ ...options, signal: io.signal, onEvent });
    writeResultFiles(args, io, result);
    const onStdout = options.outputs?.some((output) => 'dest' in output && output.dest === '-') === true;
    const id = result.digest ?? result.configDigest;
    return {
      summary: summary(result),
      ...(quiet && !onStdout && id !== undefined ? { stdout: `${id}\n` } : {}),
    };
  });
}

/** Context and Dockerfile; one of them at most comes from standard input. */
export async function inputs(
  args: Args,
  io: Io,
): Promise<Pick<BuildOptions, 'context' | 'dockerfile' | 'dockerfileText'>> {
  const context = args.positionals[0] ?? '.';
  const file = args.string('file');
  if (file === '-' && context === '-') {
    throw new TsbuildError(
      'TSB_USAGE_STDIN_TWICE',
      'standard input cannot be both the context and the Dockerfile',
      {
        hint: 'Give one of them as a path.',
      },
    );
  }
  if (context === '-' && io.stdin.isTTY) {
    throw new TsbuildError(
      'TSB_USAGE_STDIN_IS_TERMINAL',
      'the context is to come from standard input, which is a terminal',
      {
        hint: 'Pipe a tar archive or a Dockerfile in, or name a folder, for example: tsbuild build .',
      },
    );
  }
  if (file === '-') return { context, dockerfileText: await readAll(io.stdin, io.signal) };
  return { context, ...(file ? { dockerfile: file } : {}) };
}

function writeResultFiles(args: Args, io: Io, result: BuildResult): void {
  const write = (flag: string, text: string) => {
    const path = args.string(flag);
    if (!path) return;
    try {
      writeFileSync(resolve(io.cwd, path), text);
    } catch (cause) {
      throw new TsbuildError('TSB_USAGE_CANNOT_WRITE', `cannot write the file of --${flag}: ${path}`, {
        cause,
        hint: 'Name a file in a folder that exists and that you may write to. The image itself is built.',
      });
    }
  };
  write('iidfile', result.configDigest ?? result.digest ?? '');
  write('metadata-file', `${JSON.stringify(result.metadata, null, 2)}\n`);
}

function summary(result: BuildResult): string[] {
  const lines = result.outputs.flatMap((output) => {
    const digest = output.digest ?? '';
    if (output.type === 'cacheonly') return [];
    const verb = output.type === 'registry' ? 'pushed' : output.type === 'store' ? 'built' : 'wrote';
    const places = [
      ...output.names.map(familiarName),
      ...(output.dest === undefined
        ? []
        : [`${output.dest === '-' ? 'standard output' : output.dest} (${output.type})`]),
    ];
    if (places.length === 0) return digest === '' ? [] : [`${verb} ${digest}`];
    return places.map((place) => `${verb} ${place}${digest === '' ? '' : ` ${digest}`}`);
  });
  return lines;
}
