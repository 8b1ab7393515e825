/** Flags of an instruction: cut from the front of its arguments, then checked against what it knows. */
import { didYouMean } from '@tsbuild/core';
import type { EscapeToken } from './ast.js';
import { isBlank, skipBlanks } from './blanks.js';
import { fault } from './fault.js';
import { none } from './none.js';

/** Cuts `--flag` words off the front; quotes and escapes in them are resolved. `offset` is where the rest begins. */
export function cutFlags(
  text: string,
  escape: EscapeToken,
): { flags: readonly string[]; rest: string; offset: number } {
  const { length } = text;
  let flags: string[] | undefined;
  let at = skipBlanks(text, 0, length);
  while (text.charCodeAt(at) === 0x2d && text.charCodeAt(at + 1) === 0x2d) {
    let word = '';
    let quote = 0;
    let quoted = false;
    let from = at;
    for (; at < length; at += 1) {
      const code = text.charCodeAt(at);
      if (quote === 0 ? code === 0x22 || code === 0x27 : code === quote) {
        word += text.slice(from, at);
        from = at + 1;
        quote = quote === 0 ? code : 0;
        quoted = true;
      } else if (code === escape.charCodeAt(0)) {
        word += text.slice(from, at);
        from = at + 1;
        at += 1;
      } else if (quote === 0 && isBlank(code)) {
        break;
      }
    }
    at = Math.min(at, length);
    word += text.slice(from, at);
    if (word === '--' && !quoted) break;
    flags ??= [];
    flags.push(word);
    at = skipBlanks(text, at, length);
  }
  at = skipBlanks(text, at, length);
  return { flags: flags ?? none, rest: at === 0 ? text : text.slice(at), offset: at };
}

/** bool: `--x[=true|false]`; string: `--x=v` once; list: `--x=v` any number of times. */
export type FlagType = 'bool' | 'string' | 'list';

type FlagValue<T extends FlagType> = T extends 'list'
  ? readonly string[]
  : (T extends 'bool' ? boolean : string) | undefined;

export type FlagValues<S extends Record<string, FlagType>> = { [K in keyof S]: FlagValue<S[K]> };

/** Flags that an instruction knows, ready to be read. */
export interface FlagTable<S extends Record<string, FlagType>> {
  types: ReadonlyMap<string, { name: string; type: FlagType }>;
  /** What an instruction without flags has. */
  absent: FlagValues<S>;
}

export function flagTable<const S extends Record<string, FlagType>>(known: S): FlagTable<S> {
  const entries = Object.entries(known);
  return {
    // The names once more: a name cut out of a line makes a slow key of an object.
    types: new Map(entries.map(([name, type]) => [name, { name, type }])),
    absent: Object.fromEntries(
      entries.map(([name, type]) => [name, type === 'list' ? none : undefined]),
    ) as FlagValues<S>,
  };
}

/** @throws TsbuildError TSB_PARSE_UNKNOWN_FLAG, TSB_PARSE_DUPLICATE_FLAG, TSB_PARSE_FLAG_VALUE */
export function readFlags<S extends Record<string, FlagType>>(
  flags: readonly string[],
  { types, absent }: FlagTable<S>,
): FlagValues<S> {
  if (flags.length === 0) return absent;
  const values: Record<string, string | boolean | readonly string[] | undefined> = { ...absent };
  for (const flag of flags) {
    const equals = flag.indexOf('=');
    const written = flag.slice(2, equals < 0 ? undefined : equals);
    const value = equals < 0 ? undefined : flag.slice(equals + 1);
    const known = types.get(written);
    if (known === undefined) throw unknownFlag(written, [...types.keys()]);
    const { name, type } = known;
    const before = values[name];
    if (type === 'list') {
      const item = required(name, value);
      if (Array.isArray(before) && before.length > 0) before.push(item);
      else values[name] = [item];
      continue;
    }
    if (before !== undefined)
      throw fault('DUPLICATE_FLAG', `duplicate flag specified: --${name}`, `Keep one --${name}.`);
    values[name] = type === 'bool' ? readBool(name, value) : required(name, value);
  }
  return values as FlagValues<S>;
}

function unknownFlag(name: string, known: string[]): Error {
  const hint =
    known.length === 0
      ? 'This instruction has no flags.'
      : `It has ${known.map((each) => `--${each}`).join(', ')}.`;
  return fault('UNKNOWN_FLAG', `unknown flag: --${name}${didYouMean(name, known, true)}`, hint);
}

function required(name: string, value: string | undefined): string {
  if (value === undefined) {
    throw fault(
      'FLAG_VALUE',
      `missing a value on flag: --${name}`,
      `Write it as --${name}=value, without blanks.`,
    );
  }
  return value;
}

function readBool(name: string, value: string | undefined): boolean {
  if (value === '')
    throw fault('FLAG_VALUE', `missing a value on flag: --${name}`, `Write --${name} or --${name}=true.`);
  const folded = value?.toLowerCase() ?? 'true';
  if (folded !== 'true' && folded !== 'false') {
    throw fault(
      'FLAG_VALUE',
      `expecting boolean value for flag --${name}, not: ${value}`,
      `Write --${name} or --${name}=false.`,
    );
  }
  return folded === 'true';
}
