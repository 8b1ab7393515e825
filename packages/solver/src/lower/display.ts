/** Names of steps as progress shows them, in BuildKit's form: `[build 2/5] RUN make`. */
import { formatPlatform, trimSpace } from '@tsbuild/core';
import { lex } from '@tsbuild/parser';
import type { ImageOp } from '../ops.js';
import type { Located, Lowering } from './lowering.js';
import type { StageState } from './stage-state.js';

/** Counts the step. */
export function stepName(lowering: Lowering, state: StageState, text: string): string {
  const { steps } = state;
  steps.done += 1;
  const total = String(steps.total);
  const platform = lowering.options.showPlatform ? `${formatPlatform(state.platform)} ` : '';
  const label = lowering.showStage ? `${state.label} ` : '';
  return `[${platform}${label}${String(steps.done).padStart(total.length)}/${total}] ${text}`;
}

/**
 * The instruction's line with its keyword in capitals and the variables that are set filled in. Only a command keeps
 * its quotes.
 */
export function instructionText(located: Located, state: StageState, summary?: string): string {
  const { instruction, escape, trigger } = located;
  const keepQuotes = instruction.kind === 'run';
  const blank = instruction.original.indexOf(' ');
  const end = blank < 0 ? instruction.original.length : blank;
  const line = instruction.original.slice(0, end).toUpperCase() + instruction.original.slice(end);
  const text = (trigger ? 'ONBUILD ' : '') + (summary === undefined ? line : `${line} (${summary})`);
  try {
    return lex(text, (name) => state.env.get(name), { escape, keepQuotes, keepUnset: true }).value;
  } catch {
    return text;
  }
}

/** The first line of a heredoc that is a whole command. */
export function heredocSummary(body: string): string {
  const [first = '', more] = trimSpace(body).replaceAll('\r\n', '\n').split('\n');
  return more === undefined ? first : `${first}...`;
}

/** `docker.io/library/busybox:latest@sha256:…` of `busybox`. */
export function imageName({ reference, manifest }: ImageOp): string {
  const [name = ''] = reference.split('@');
  const withTag = name.indexOf(':', name.lastIndexOf('/') + 1) < 0 ? `${name}:latest` : name;
  const digest = reference.includes('@') ? reference.slice(reference.indexOf('@') + 1) : manifest.digest;
  return `${fullName(withTag)}@${digest}`;
}

function fullName(name: string): string {
  const slash = name.indexOf('/');
  const host = slash < 0 ? '' : name.slice(0, slash);
  if (/[.:]/.test(host) || host === 'localhost') return name;
  return slash < 0 ? `docker.io/library/${name}` : `docker.io/${name}`;
}
