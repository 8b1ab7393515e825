/** Sizes and durations as people write them, for flags and for filters. */
import { TsbuildError } from '@tsbuild/core';

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

/** Decimal units with three digits, as docker writes them: `299B`, `1.04MB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  if (unit === 0) return `${Math.round(value)}B`;
  const digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return `${Number(value.toFixed(digits))}${units[unit]}`;
}
