/** Go's durations: `1h2m3.5s`, and how Go prints them (https://pkg.go.dev/time#ParseDuration). Nanoseconds. */
import { goQuote } from '@tsbuild/core';
import { fault } from './fault.js';

const units: Record<string, number> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** @throws TsbuildError TSB_PARSE_DURATION with Go's words */
export function parseDuration(text: string): number {
  const bad = (what: string) =>
    fault('DURATION', `time: ${what} ${goQuote(text)}`, 'Write it as 30s, 1m30s or 500ms.');
  const sign = text.startsWith('-') ? -1 : 1;
  let rest = text.replace(/^[-+]/, '');
  if (rest === '0') return 0;
  if (rest === '') throw bad('invalid duration');
  let total = 0;
  while (rest !== '') {
    const number = /^(?:\d+\.?\d*|\.\d+)/.exec(rest)?.[0];
    if (number === undefined) throw bad('invalid duration');
    rest = rest.slice(number.length);
    const unit = /^[^\d.]+/.exec(rest)?.[0];
    if (unit === undefined) throw bad('missing unit in duration');
    const scale = Object.hasOwn(units, unit) ? units[unit] : undefined;
    if (scale === undefined) {
      throw fault(
        'DURATION',
        `time: unknown unit ${goQuote(unit)} in duration ${goQuote(text)}`,
        'Units are ns, us, ms, s, m, h.',
      );
    }
    total += Math.trunc(Number(number) * scale);
    if (total > 2 ** 63) throw bad('invalid duration');
    rest = rest.slice(unit.length);
  }
  return sign * total || 0;
}

/** Go's Duration.String: `1m30s`, `1.5s`, `250ms`, `0s`. */
export function formatDuration(nanoseconds: number): string {
  if (nanoseconds === 0) return '0s';
  const sign = nanoseconds < 0 ? '-' : '';
  const value = Math.abs(nanoseconds);
  if (value < 1e3) return `${sign}${value}ns`;
  if (value < 1e6) return `${sign}${value / 1e3}µs`;
  if (value < 1e9) return `${sign}${value / 1e6}ms`;
  const hours = Math.floor(value / 3600e9);
  const minutes = Math.floor((value % 3600e9) / 60e9);
  const rest = value % 60e9;
  const fraction = String(rest % 1e9)
    .padStart(9, '0')
    .replace(/0+$/, '');
  const seconds = `${Math.floor(rest / 1e9)}${fraction && `.${fraction}`}s`;
  return (
    sign + (hours > 0 ? `${hours}h${minutes}m${seconds}` : minutes > 0 ? `${minutes}m${seconds}` : seconds)
  );
}
