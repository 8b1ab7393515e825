/**
 * Words to a command, and its exit status. Light on purpose: a build that has nothing to do should not wait for the code of
 * other commands, so each command is loaded when it is called.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { TsbuildError, exitCodeOf } from '@tsbuild/core';
import { type Io, wantsColor, wantsDebug } from './io.js';
import { nearest } from './nearest.js';
import { parseArgs } from './parse.js';
import { renderError } from './render-error.js';
import { commands, findCommand } from './spec/table.js';
import type { CommandSpec } from './spec/types.js';

/** The command that the words name, and the words that are left; `build` can be left out. */
export function chooseCommand(
  words: readonly string[],
  cwd: string,
): { command: CommandSpec; rest: readonly string[] } {
  const [first = ''] = words;
  const named = findCommand(first);
  if (named !== undefined) return { command: named, rest: words.slice(1) };
  const build = commandNamed('build');
  if (first.startsWith('-') || /[/.:]/.test(first) || existsSync(resolve(cwd, first)))
    return { command: build, rest: words };
  throw unknownCommand(first, '; there is no folder of that name either');
}

/** @throws TSB_USAGE_UNKNOWN_COMMAND */
export function commandNamed(word: string): CommandSpec {
  const command = findCommand(word);
  if (command === undefined) throw unknownCommand(word, '');
  return command;
}

function unknownCommand(word: string, more: string): TsbuildError {
  const near = nearest(
    word,
    commands.flatMap((command) => [command.name, ...(command.aliases ?? [])]),
  );
  return new TsbuildError('TSB_USAGE_UNKNOWN_COMMAND', `unknown command ${JSON.stringify(word)}${more}`, {
    hint:
      near === undefined ? 'See "tsbuild --help".' : `Did you mean "tsbuild ${near}"? See "tsbuild --help".`,
  });
}

export async function main(words: readonly string[], io: Io): Promise<number> {
  try {
    return await dispatch(words, io);
  } catch (error) {
    io.stderr.write(
      renderError(error, {
        color: wantsColor(io.stderr, io.env),
        debug: words.includes('--debug') || words.includes('-D') || wantsDebug(io.env),
        outputShown: false,
      }),
    );
    return exitCodeOf(error);
  }
}

async function dispatch(words: readonly string[], io: Io): Promise<number> {
  const [first] = words;
  if (first === undefined || first === '--help' || first === '-h') {
    const { overview } = await import('./help.js');
    io.stdout.write(overview(commands));
    return 0;
  }
  const { command, rest } =
    first === '--version' || first === '-V'
      ? { command: commandNamed('version'), rest: [] }
      : chooseCommand(words, io.cwd);
  const args = parseArgs(command, rest, io.env);
  if (args.bool('help')) {
    const { commandHelp } = await import('./help.js');
    io.stdout.write(commandHelp(command));
    return 0;
  }
  if (!command.direct && io.env['TSBUILD_LAUNCHED'] !== '1') {
    throw new TsbuildError(
      'TSB_HOST_NOT_LAUNCHED',
      `"tsbuild ${command.name}" has to be started by the program bin/tsbuild`,
      {
        hint: 'Call bin/tsbuild instead of this script: it sets up the mount namespace that builds need.',
      },
    );
  }
  const module = await command.load();
  return module.run(args, io);
}
