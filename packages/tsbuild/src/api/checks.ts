/** What values of options can be: small checks that say in words what is wanted. */
import { Readable, Writable } from 'node:stream';

/** @returns undefined where the value is right, else the place below it (`[0].id`, or nothing) and what is wanted there */
export type Check = (value: unknown) => Fault | undefined;

export interface Fault {
  at: string;
  wanted: string;
  /** Where it is the name that is wrong: the names there are. */
  known?: readonly string[];
}

/** One check for each member; members that must be given are checked by required(). */
export type Fields<T> = { [Name in keyof Required<T>]: Check };

const test =
  (wanted: string, right: (value: unknown) => boolean): Check =>
  (value) =>
    right(value) ? undefined : { at: '', wanted };

export const text = test('a string', (value) => typeof value === 'string');
export const flag = test('true or false', (value) => typeof value === 'boolean');
export const bytes = test('a string or a Uint8Array', (value) =>
  typeof value === 'string' ? true : value instanceof Uint8Array);
export const callback = test('a function', (value) => typeof value === 'function');
export const signal = test('an AbortSignal', (value) => value instanceof AbortSignal);
export const path = test('a path', isPath);
export const source = test('a path or a Readable', (value) => value instanceof Readable || isPath(value));
export const destination = test('a path, - or a Writable', (value) =>
  value instanceof Writable || isPath(value));
export const count = test('a whole number, 0 or more', (value) =>
  Number.isSafeInteger(value) && Number(value) >= 0);
export const limit = test('a whole number, or -1 for no limit', (value) =>
  Number.isSafeInteger(value) && Number(value) >= -1);

function isPath(value: unknown): boolean {
  return typeof value === 'string' && value !== '' && !value.includes('\0');
}

export const oneOf = (...words: readonly string[]): Check =>
  test(`one of ${words.map((word) => `'${word}'`).join(', ')}`, (value) => words.includes(value as string));

export const either =
  (wanted: string, ...checks: readonly Check[]): Check =>
  (value) =>
    checks.some((check) => check(value) === undefined) ? undefined : { at: '', wanted };

export const list =
  (each: Check, wanted = 'a list', least = 0): Check =>
  (value) => {
    if (!Array.isArray(value) || value.length < least) return { at: '', wanted };
    for (const [index, item] of value.entries()) {
      const fault = each(item);
      if (fault) return { ...fault, at: `[${index}]${fault.at}` };
    }
    return undefined;
  };

export const texts = list(text, 'a list of strings');

/** An object whose members are all strings. */
export const map: Check = (value) => {
  if (!isPlainObject(value)) return { at: '', wanted: 'an object with strings' };
  const wrong = Object.entries(value).find(([, member]) => typeof member !== 'string');
  return wrong && { at: `.${wrong[0]}`, wanted: 'a string' };
};

const needed = new WeakSet<Check>();

export function required(check: Check): Check {
  const own: Check = (value) => check(value);
  needed.add(own);
  return own;
}

export const fields =
  <T>(checks: Fields<T>): Check =>
  (value) => {
    if (!isPlainObject(value)) return { at: '', wanted: 'an object' };
    const byName = checks as Record<string, Check>;
    for (const name of Object.keys(value)) {
      if (!Object.hasOwn(byName, name)) return { at: `.${name}`, wanted: '', known: Object.keys(byName) };
    }
    for (const [name, check] of Object.entries(byName)) {
      const member = value[name];
      if (member === undefined && !needed.has(check)) continue;
      const fault = check(member);
      if (fault) return { ...fault, at: `.${name}${fault.at}` };
    }
    return undefined;
  };

/** Objects that their member `type` tells apart. */
export const variants =
  (byType: Record<string, Check>): Check =>
  (value) => {
    if (!isPlainObject(value)) return { at: '', wanted: 'an object' };
    const { type } = value;
    const check = typeof type === 'string' && Object.hasOwn(byType, type) ? byType[type] : undefined;
    if (!check)
      return {
        at: '.type',
        wanted: `one of ${Object.keys(byType)
          .map((word) => `'${word}'`)
          .join(', ')}`,
      };
    return check(value);
  };

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
