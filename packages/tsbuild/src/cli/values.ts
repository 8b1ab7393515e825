/** Values of flags that several commands read: pairs, platforms, and sizes and durations. */
import { TsbuildError, formatPlatform, hostPlatform, parsePlatform } from '@tsbuild/core';

export { parseDuration, parseSize } from '../units.js';

function bad(flag: string, value: string, hint: string): TsbuildError {
  return new TsbuildError('TSB_USAGE_BAD_VALUE', `invalid value ${JSON.stringify(value)} for --${flag}`, {
    hint,
  });
}

/** `KEY=VALUE` pairs, the last of a key wins; a missing `=` is `undefined`, or an error where a value is needed. */
export function parsePairs(
  flag: string,
  items: readonly string[],
  needsValue: boolean,
): Map<string, string | undefined> {
  const pairs = new Map<string, string | undefined>();
  for (const item of items) {
    const equals = item.indexOf('=');
    const key = equals < 0 ? item : item.slice(0, equals);
    if (key === '' || (equals < 0 && needsValue)) throw bad(flag, item, 'Write it as KEY=VALUE.');
    pairs.set(key, equals < 0 ? undefined : item.slice(equals + 1));
  }
  return pairs;
}

/** Variables: `NAME` alone takes the environment's value, and is left out where that has none. */
export function parseVariables(
  flag: string,
  items: readonly string[],
  env: NodeJS.ProcessEnv,
): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const [name, value] of parsePairs(flag, items, false)) {
    const known = value ?? env[name];
    if (known !== undefined) variables[name] = known;
  }
  return variables;
}

/** Normal forms of platforms; `local` is this machine. */
export function parsePlatforms(items: readonly string[]): string[] {
  const names = items.map((item) => formatPlatform(item === 'local' ? hostPlatform() : parsePlatform(item)));
  return [...new Set(names)];
}

/** `docker.io/library/app:latest` as people write it. */
export function familiarName(name: string): string {
  return name.replace(/^docker\.io\/(?:library\/(?=[^/]+$))?/, '');
}

/** `host:5000/app:1` to `host:5000/app` and `1`. */
export function splitName(name: string): { repository: string; tag: string } {
  const match = /^(.*?)(?::([^:/]+))?$/s.exec(name);
  return { repository: match?.[1] ?? name, tag: match?.[2] ?? '' };
}
