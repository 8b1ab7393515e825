/** The texts BuildKit writes into an image's history (frontend/dockerfile/dockerfile2llb/convert.go). */
import { goQuote, type Healthcheck } from '@tsbuild/core';
import { formatDuration } from '@tsbuild/parser';
import type { VertexId } from '../ops.js';
import type { DeclaredArg, StageState } from './stage-state.js';

const comment = 'buildkit.dockerfile.v0';

/** An instruction that changes only the config. */
export function recordConfig(state: StageState, text: string): void {
  state.history.push({ entry: { created_by: text, comment, empty_layer: true } });
}

export function recordLayer(state: StageState, text: string, vertex: VertexId): void {
  state.history.push({ entry: { created_by: text, comment }, vertex });
}

/** `RUN |2 A=1 B= /bin/sh -c make`: the stage's ARGs with the values they have in the environment. */
export function runText(
  args: readonly string[],
  declared: readonly DeclaredArg[],
  env: ReadonlyMap<string, string>,
): string {
  const values = new Map<string, string>();
  for (const { name, value } of declared) values.set(name, env.get(name) ?? value ?? '');
  const prefix =
    values.size === 0 ? [] : [`|${values.size}`, ...[...values].map(([name, value]) => `${name}=${value}`)];
  return `RUN ${[...prefix, ...args].join(' ')} # buildkit`;
}

/** Go's %q of a list. */
export function quotedList(words: readonly string[]): string {
  return `[${words.map(goQuote).join(' ')}]`;
}

/** Go's %v of a list. */
export function plainList(words: readonly string[]): string {
  return `[${words.join(' ')}]`;
}

/** Go's %q of a pointer to a health check: the number of retries comes out as a character. */
export function healthcheckText(check: Healthcheck): string {
  const durations = [check.Interval, check.Timeout, check.StartPeriod, check.StartInterval];
  const members = [
    check.Test === undefined ? '[]' : quotedList(check.Test),
    ...durations.map((value) => goQuote(formatDuration(value ?? 0))),
    quotedRune(check.Retries ?? 0),
  ];
  return `&{${members.join(' ')}}`;
}

/** Go's %q of an integer. */
function quotedRune(code: number): string {
  const valid = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  const char = valid ? String.fromCodePoint(code) : '\uFFFD';
  if (char === "'") return "'\\''";
  if (char === '"') return `'"'`;
  return `'${goQuote(char).slice(1, -1)}'`;
}
