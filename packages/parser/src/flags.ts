/** Flags of an instruction: cut from the front of its arguments, then checked against what it knows. */
import { didYouMean } from '@tsbuild/core';
import type { EscapeToken } from './ast.js';
import { fault } from './fault.js';
import { none } from './none.js';

/** Cuts `--flag` words off the front; quotes and escapes in them are resolved. `offset` is where the rest begins. */
export function cutFlags(
  text: string,
  escape: EscapeToken,
): { flags: readonly string[]; rest: string; offset: number } {
  const first = text.charCodeAt(0);
  if (first > 0x2d && first < 0x80) return { flags: none, rest: text, offset: 0 };
  if (!text.startsWith('-') && !isSpaceAt(text, 0)) return { flags: none, rest: text, offset: 0 };
  const flags: string[] = [];
  const isBlank = (at: number) => isSpaceAt(text, at);
  let at = 0;
  for (;;) {
    while (at < text.length && isBlank(at)) at += 1;
    if (!text.startsWith('--', at)) break;
    let word = '';
    let quote = '';
    let quoted = false;
    for (; at < text.length && (quote !== '' || !isBlank(at)); at += 1) {
      const char = text.charAt(at);
      if (quote === '' ? char === '"' || char === "'" : char === quote) {
        quote = quote === '' ? char : '';
        quoted = true;
      } else if (char === escape) {
        at += 1;
        word += text.charAt(at);
      } else {
        word += char;
      }
    }
    if (word === '--' && !quoted) break;
    flags.push(word);
  }
  while (at < text.length && isBlank(at)) at += 1;
  const rest = text.slice(at);
  return { flags, rest, offset: at };
}

function isSpaceAt(text: string, at: number): boolean {
  return /^(?!\uFEFF)[\s\u0085]$/.test(text.charAt(at));
}

/** bool: `--x[=true|false]`; string: `--x=v` once; list: `--x=v` any number of times. */
export type FlagType = 'bool' | 'string' | 'list';

type FlagValue<T extends FlagType> = T extends 'list'
  ? readonly string[]
  : (T extends 'bool' ? boolean : string) | undefined;

export type FlagValues<S extends Record<string, FlagType>> = { [K in keyof S]: FlagValue<S[K]> };

/** @throws TsbuildError TSB_PARSE_UNKNOWN_FLAG, TSB_PARSE_DUPLICATE_FLAG, TSB_PARSE_FLAG_VALUE */
export function readFlags<S extends Record<string, FlagType>>(
  flags: readonly string[],
  known: S,
): FlagValues<S> {
  const values: Record<string, string | boolean | string[] | typeof none> = {};
  for (const name in known) if (known[name] === 'list') values[name] = none;
  if (flags.length === 0) return values as FlagValues<S>;
  const names = Object.keys(known);
  for (const flag of flags) {
    const equals = flag.indexOf('=');
    const name = flag.slice(2, equals < 0 ? undefined : equals);
    const value = equals < 0 ? undefined : flag.slice(equals + 1);
    const type = Object.hasOwn(known, name) ? known[name] : undefined;
    if (type === undefined) {
      const list =
        names.length === 0
          ? 'This instruction has no flags.'
          : `It has ${names.map((n) => `--${n}`).join(', ')}.`;
      throw fault('UNKNOWN_FLAG', `unknown flag: --${name}${didYouMean(name, names, true)}`, list);
    }
    const list = values[name];
    if (type === 'list') {
      if (Array.isArray(list) && list.length > 0) list.push(required(name, value));
      else values[name] = [required(name, value)];
      continue;
    }
    if (list !== undefined)
      throw fault('DUPLICATE_FLAG', `duplicate flag specified: --${name}`, `Keep one --${name}.`);
    values[name] = type === 'bool' ? readBool(name, value) : required(name, value);
  }
  return values as FlagValues<S>;
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
