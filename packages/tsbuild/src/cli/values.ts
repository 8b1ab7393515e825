/** Values of flags that several commands read: sizes, durations, pairs, platforms. */
import { TsbuildError, formatPlatform, hostPlatform, parsePlatform } from '@tsbuild/core';

function bad(flag: string, value: string, hint: string): TsbuildError {
  return new TsbuildError('TSB_USAGE_BAD_VALUE', `invalid value ${JSON.stringify(value)} for --${flag}`, {
    hint,
  });
}

/** Bytes of `64m`, `1.5GB`; the units are powers of 1024, as docker's memory sizes are. */
export function parseSize(flag: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgtp]?)i?b?$/i.exec(text.trim());
  if (match === null) throw bad(flag, text, 'Write a number with a unit, for example 64m or 10GB.');
  const power = ' kmgtp'.indexOf((match[2] || ' ').toLowerCase());
  return Math.floor(Number(match[1]) * 1024 ** power);
}

const unitMs: Record<string, number> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** Milliseconds of `24h`, `1h30m`, `7d`. */
export function parseDuration(flag: string, text: string): number {
  const part = /(\d+(?:\.\d+)?)(ms|[smhdw])/g;
  let total = 0;
  let end = 0;
  for (let match = part.exec(text); match !== null && match.index === end; match = part.exec(text)) {
    total += Number(match[1]) * (unitMs[match[2] ?? ''] ?? 0);
    end = part.lastIndex;
  }
  if (text === '' || end !== text.length)
    throw bad(flag, text, 'Write a time with its unit, for example 30m, 24h or 7d.');
  return total;
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
