/** The global scope that checks see: automatic arguments and the ARGs before the first FROM. */
import { type SourceRange, TsbuildError } from '@tsbuild/core';
import type { Dockerfile } from '../ast.js';
import { expandWord } from '../expand.js';
import type { CheckOptions } from './types.js';

export interface LintWord {
  value: string;
  /** Names that were set, names that were not. */
  used: string[];
  unset: string[];
}

export function automaticArgs(file: Dockerfile, options: CheckOptions): Map<string, string> {
  const args = new Map<string, string>();
  const add = (prefix: string, platform: string) => {
    const [os = '', arch = '', variant = ''] = platform.split('/');
    args.set(`${prefix}PLATFORM`, platform);
    args.set(`${prefix}OS`, os);
    args.set(`${prefix}OSVERSION`, '');
    args.set(`${prefix}ARCH`, arch);
    args.set(`${prefix}VARIANT`, variant);
  };
  const target = options.targetPlatform ?? 'linux/amd64';
  add('BUILD', options.buildPlatform ?? target);
  add('TARGET', target);
  args.set('TARGETSTAGE', options.target ?? file.stages.at(-1)?.name ?? 'default');
  return args;
}

export function globalScope(
  file: Dockerfile,
  options: CheckOptions,
  automatic: ReadonlyMap<string, string>,
  buildArgs: Readonly<Record<string, string>>,
): Map<string, string> {
  const scope = new Map(automatic);
  for (const name of automatic.keys()) {
    const given = own(buildArgs, name);
    if (given !== undefined) scope.set(name, given);
  }
  for (const instruction of file.metaArgs) {
    for (const { name, value } of instruction.args) {
      const given = own(buildArgs, name);
      if (given !== undefined) scope.set(name, given);
      else if (value !== undefined) {
        const word = guard(options, file, instruction.range, () => expandNoting(value, scope, file));
        scope.set(name, word?.value ?? '');
      } else if (!scope.has(name)) scope.set(name, '');
    }
  }
  return scope;
}

export function expandNoting(
  raw: string,
  variables: ReadonlyMap<string, string>,
  file: Dockerfile,
): LintWord {
  const used = new Set<string>();
  const lookup = (name: string) => {
    const value = variables.get(name);
    if (value !== undefined) used.add(name);
    return value;
  };
  return { ...expandWord(raw, lookup, file.escape), used: [...used] };
}

/** What cannot be expanded is told to whoever asked; checks go on. */
export function guard<T>(
  options: CheckOptions,
  file: Dockerfile,
  range: SourceRange,
  action: () => T,
): T | undefined {
  try {
    return action();
  } catch (error) {
    if (!TsbuildError.is(error)) throw error;
    options.onError?.(error.with({ source: { file: file.filename, text: file.text, range } }));
    return undefined;
  }
}

export function own(record: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}
