/** `tsbuild login`. */
import { TsbuildError } from '@tsbuild/core';
import { login } from '../../api/operations.js';
import { registryOptions } from '../build-options.js';
import type { Io } from '../io.js';
import type { Args } from '../parse.js';
import { ask } from '../prompt.js';
import { readAll } from '../stdin.js';

export async function run(args: Args, io: Io): Promise<number> {
  const registry = args.positionals[0] ?? 'docker.io';
  const username =
    args.string('username') || (await askFor(io, 'Username: ', false, 'Give it with --username.'));
  const password = await readPassword(args, io);
  await login({ registry, username, password, ...registryOptions(args), signal: io.signal });
  io.stderr.write(`logged in to ${registry} as ${username}\n`);
  return 0;
}

async function readPassword(args: Args, io: Io): Promise<string> {
  if (args.bool('password-stdin')) {
    if (args.has('password')) {
      throw new TsbuildError(
        'TSB_USAGE_EXTRA_ARGUMENT',
        '--password and --password-stdin exclude each other',
      );
    }
    if (!args.has('username')) {
      throw new TsbuildError('TSB_USAGE_MISSING_ARGUMENT', '--password-stdin needs --username', {
        hint: 'For example: echo "$TOKEN" | tsbuild login -u ci --password-stdin registry.example.com',
      });
    }
    // `echo` ends the password with a newline that is no part of it.
    return (await readAll(io.stdin, io.signal)).replace(/\r?\n$/, '');
  }
  const given = args.string('password');
  if (given !== undefined) {
    io.stderr.write('note: --password shows in the list of processes; --password-stdin does not\n');
    return given;
  }
  return await askFor(io, 'Password: ', true, 'Give it with --password-stdin.');
}

async function askFor(io: Io, question: string, hidden: boolean, hint: string): Promise<string> {
  if (!io.stdin.isTTY) {
    throw new TsbuildError(
      'TSB_USAGE_NO_TERMINAL',
      `cannot ask for the ${question.trim().replace(':', '').toLowerCase()}: standard input is no terminal`,
      {
        hint,
      },
    );
  }
  const answer = await ask(io, question, hidden);
  if (answer === '') throw new TsbuildError('TSB_CANCELLED_PROMPT', 'nothing was entered');
  return answer;
}
