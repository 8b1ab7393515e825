/** `tsbuild run`. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type EventSink, TsbuildError } from '@tsbuild/core';
import { run as runImage } from '../../api/operations.js';
import type { RunOptions } from '../../api/types.js';
import { registryOptions, storeOptions } from '../build-options.js';
import type { Io } from '../io.js';
import type { Args } from '../parse.js';
import { createView } from '../progress/create.js';
import { parseVariables } from '../values.js';

export async function run(args: Args, io: Io): Promise<number> {
  const options = runOptions(args, io);
  // Only a pull shows progress: nothing of it may mix with the command's own output. So what comes without a step is
  // passed over, and a terminal that the command is about to own gets plain lines.
  const mode = args.string('progress') ?? 'auto';
  const view = createView(mode === 'auto' || mode === 'tty' ? 'plain' : mode, io);
  const steps = new Set<string>();
  const onEvent: EventSink = (event) => {
    if (event.type === 'vertex') steps.add(event.id);
    if (!('id' in event) || steps.has(event.id)) view.event(event);
  };
  let ended = false;
  const finish = (error?: unknown) => {
    if (!ended) view.finish(error === undefined ? {} : { error });
    ended = true;
  };
  try {
    const { exitCode } = await runImage({
      ...options,
      signal: io.signal,
      onEvent,
    });
    finish();
    return exitCode;
  } catch (error) {
    finish(error);
    throw error;
  }
}

export function runOptions(args: Args, io: Pick<Io, 'env' | 'cwd' | 'stdin' | 'stdout'>): RunOptions {
  const [reference = '', ...command] = args.positionals;
  const options: RunOptions = { reference, ...storeOptions(args), ...registryOptions(args) };
  if (command.length > 0) options.command = command;
  const entrypoint = args.string('entrypoint');
  if (entrypoint !== undefined) options.entrypoint = entrypoint === '' ? [] : [entrypoint];
  const env = {
    ...parseVariables(
      'env-file',
      args.list('env-file').flatMap((file) => envFileLines(file, io.cwd)),
      io.env,
    ),
    ...parseVariables('env', args.list('env'), io.env),
  };
  if (Object.keys(env).length > 0) options.env = env;
  if (args.has('volume')) options.volumes = args.list('volume').map((text) => parseVolume(text, io.cwd));
  const workdir = args.string('workdir');
  if (workdir) options.workdir = workdir;
  const user = args.string('user');
  if (user) options.user = user;
  const hostname = args.string('hostname');
  if (hostname) options.hostname = hostname;
  const platform = args.string('platform');
  if (platform) options.platform = platform;
  if (args.string('network') === 'none') options.network = 'none';
  if (args.bool('interactive')) options.interactive = true;
  if (args.bool('tty')) {
    if (!io.stdin.isTTY) {
      throw new TsbuildError('TSB_USAGE_NO_TERMINAL', '--tty needs a terminal, and standard input is none', {
        hint: 'Leave -t out; -i alone passes standard input on.',
      });
    }
    options.tty = true;
  }
  return options;
}

/** `HOST:PATH[:ro|rw]`; a relative host path starts at the working directory. */
export function parseVolume(text: string, cwd: string): NonNullable<RunOptions['volumes']>[number] {
  const [source = '', target = '', mode = 'rw', ...rest] = text.split(':');
  if (
    source === '' ||
    !target.startsWith('/') ||
    rest.length > 0 ||
    !/^(ro|rw|z|Z)(,(ro|rw|z|Z))*$/.test(mode)
  ) {
    throw new TsbuildError('TSB_USAGE_BAD_VALUE', `invalid value ${JSON.stringify(text)} for --volume`, {
      hint: 'Write it as HOST:PATH or HOST:PATH:ro, with an absolute PATH.',
    });
  }
  return {
    source: resolve(cwd, source),
    target,
    ...(mode.split(',').includes('ro') ? { readonly: true } : {}),
  };
}

/** Lines `NAME=VALUE`; `NAME` alone takes this process's value; `#` begins a comment line. */
function envFileLines(file: string, cwd: string): string[] {
  let text: string;
  try {
    text = readFileSync(resolve(cwd, file), 'utf8');
  } catch (cause) {
    throw new TsbuildError('TSB_USAGE_CANNOT_READ', `cannot read the file of --env-file: ${file}`, { cause });
  }
  return text
    .split(/\r?\n/)
    .map((line) => line.trimStart())
    .filter((line) => line !== '' && !line.startsWith('#'));
}
