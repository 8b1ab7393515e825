/** Arguments to values by a command's table of flags, with the rules of docker's command line (Go's pflag). */
import { TsbuildError } from '@tsbuild/core';
import { nearest } from './nearest.js';
import type { CommandSpec, FlagSpec } from './spec/types.js';

export interface Args {
  readonly command: CommandSpec;
  readonly positionals: readonly string[];
  /** Whether the flag (or its environment variable) was given. */
  has(name: string): boolean;
  bool(name: string): boolean;
  /** The last value; undefined where the flag was not given. An empty value counts as given. */
  string(name: string): string | undefined;
  list(name: string): readonly string[];
}

export const helpFlag: FlagSpec = { name: 'help', short: 'h', type: 'boolean', summary: 'Print this help' };

const truth: Record<string, boolean> = {
  true: true,
  t: true,
  '1': true,
  TRUE: true,
  True: true,
  T: true,
  false: false,
  f: false,
  '0': false,
  FALSE: false,
  False: false,
  F: false,
};

/** @throws TsbuildError TSB_USAGE_* for what the table does not allow */
export function parseArgs(command: CommandSpec, words: readonly string[], env: NodeJS.ProcessEnv): Args {
  const byLong = new Map<string, FlagSpec>([...command.flags, helpFlag].map((flag) => [flag.name, flag]));
  const byShort = new Map<string, FlagSpec>();
  for (const flag of byLong.values()) if (flag.short !== undefined) byShort.set(flag.short, flag);
  const values = new Map<string, string[]>();
  const positionals: string[] = [];

  const store = (flag: FlagSpec, written: string, value: string) => {
    check(command, flag, written, value);
    const parts =
      flag.type === 'csv'
        ? value
            .split(',')
            .map((part) => part.trim())
            .filter((part) => part !== '')
        : [value];
    const known = values.get(flag.name);
    if (known === undefined || flag.type === 'boolean' || flag.type === 'string')
      values.set(flag.name, parts);
    else known.push(...parts);
  };

  let i = 0;
  const valueAfter = (written: string): string => {
    const next = words[i + 1];
    if (next === undefined) {
      throw usage(command, 'TSB_USAGE_MISSING_VALUE', `flag needs a value: ${written}`);
    }
    i++;
    return next;
  };
  for (; i < words.length; i++) {
    const word = words[i] ?? '';
    if (word === '--') {
      positionals.push(...words.slice(i + 1));
      break;
    }
    if (word.startsWith('--')) {
      const equals = word.indexOf('=');
      const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
      const flag = byLong.get(name) ?? unknownFlag(command, `--${name}`, byLong.keys());
      const inline = equals < 0 ? undefined : word.slice(equals + 1);
      store(flag, `--${name}`, inline ?? (flag.type === 'boolean' ? 'true' : valueAfter(`--${name}`)));
    } else if (word.length > 1 && word.startsWith('-')) {
      shortFlags(word);
    } else {
      if (command.flagsFirst) {
        positionals.push(...words.slice(i));
        break;
      }
      positionals.push(word);
    }
  }

  function shortFlags(word: string): void {
    // `-target x` is hardly ever meant as `-t arget`.
    if (byLong.has(word.slice(1).replace(/=.*$/s, '')) && word.length > 2)
      unknownFlag(command, word, byLong.keys());
    for (let at = 1; at < word.length; at++) {
      const letter = word[at] ?? '';
      const flag = byShort.get(letter) ?? unknownFlag(command, `-${letter}`, byLong.keys());
      const rest = word.slice(at + 1);
      if (flag.type === 'boolean') {
        store(flag, `-${letter}`, rest.startsWith('=') ? rest.slice(1) : 'true');
        if (rest.startsWith('=')) return;
      } else {
        store(flag, `-${letter}`, rest === '' ? valueAfter(`-${letter}`) : rest.replace(/^=/, ''));
        return;
      }
    }
  }

  for (const flag of command.flags) {
    if (values.has(flag.name)) continue;
    const name = flag.env?.find((variable) => (env[variable] ?? '') !== '');
    if (name !== undefined) store(flag, name, env[name] ?? '');
  }
  const bool = (name: string) => truth[values.get(name)?.at(-1) ?? 'false'] ?? false;
  if (!bool('help')) checkArity(command, positionals);
  return {
    command,
    positionals,
    has: (name) => values.has(name),
    bool,
    string: (name) => values.get(name)?.at(-1),
    list: (name) => values.get(name) ?? [],
  };
}

function check(command: CommandSpec, flag: FlagSpec, written: string, value: string): void {
  if (flag.type === 'boolean' && truth[value] === undefined) {
    throw usage(
      command,
      'TSB_USAGE_BAD_VALUE',
      `invalid value ${JSON.stringify(value)} for ${written}: it is true or false`,
    );
  }
  if (flag.choices !== undefined && !flag.choices.includes(value)) {
    const near = nearest(value, flag.choices);
    throw usage(
      command,
      'TSB_USAGE_BAD_VALUE',
      `invalid value ${JSON.stringify(value)} for ${written}: it is one of ${flag.choices.join(', ')}` +
        (near === undefined ? '' : ` (did you mean ${near}?)`),
    );
  }
}

function checkArity(command: CommandSpec, positionals: readonly string[]): void {
  const { min, max } = command.arity;
  if (positionals.length < min) {
    throw usage(
      command,
      'TSB_USAGE_MISSING_ARGUMENT',
      `tsbuild ${command.name} needs ${command.positionals}`,
    );
  }
  if (positionals.length > max) {
    const extra = positionals[max] ?? '';
    const takes = max === 0 ? 'no arguments' : max === 1 ? 'one argument' : `${max} arguments`;
    throw usage(
      command,
      'TSB_USAGE_EXTRA_ARGUMENT',
      `tsbuild ${command.name} takes ${takes}; ${JSON.stringify(extra)} is one too many`,
    );
  }
}

function unknownFlag(command: CommandSpec, written: string, names: Iterable<string>): never {
  const candidates = [...names];
  const bare = written.replace(/^-+/, '').replace(/=.*$/s, '');
  const near = candidates.includes(bare) ? bare : bare.length > 1 ? nearest(bare, candidates) : undefined;
  throw new TsbuildError('TSB_USAGE_UNKNOWN_FLAG', `unknown flag: ${written}`, {
    hint: `${near === undefined ? '' : `Did you mean --${near}? `}See "tsbuild ${command.name} --help".`,
  });
}

function usage(command: CommandSpec, code: `TSB_USAGE_${string}`, message: string): TsbuildError {
  const example = command.examples[0];
  return new TsbuildError(code, message, {
    hint: `See "tsbuild ${command.name} --help"${example === undefined ? '.' : `, for example: ${example.command}`}`,
  });
}
