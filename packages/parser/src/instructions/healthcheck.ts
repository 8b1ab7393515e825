import { goQuote } from '@tsbuild/core';
import type { HealthcheckInstruction } from '../ast.js';
import { parseDuration } from '../duration.js';
import { fault } from '../fault.js';
import { flagTable, readFlags } from '../flags.js';
import { splitCommand } from '../split.js';
import { atLeastOne, type Request } from './request.js';

const known = flagTable({
  interval: 'string',
  timeout: 'string',
  'start-period': 'string',
  'start-interval': 'string',
  retries: 'string',
});

export function parseHealthcheck(request: Request): HealthcheckInstruction {
  const { keyword, original, range, comments } = request;
  const { type, rest } = splitType(request.rest);
  atLeastOne(request, type.length, 'HEALTHCHECK CMD command, or HEALTHCHECK NONE');
  if (type === 'NONE') {
    if (rest !== '') throw broken('HEALTHCHECK NONE takes no arguments', 'Remove what stands after NONE.');
    return { kind: 'healthcheck', keyword, original, range, comments, none: true };
  }
  const flags = readFlags(request.flags, known);
  if (type !== 'CMD') {
    throw broken(
      `Unknown type ${goQuote(type)} in HEALTHCHECK (try CMD)`,
      'Write HEALTHCHECK CMD command, or HEALTHCHECK NONE.',
    );
  }
  const command = splitCommand(rest);
  if ((command.form === 'exec' ? command.args : command.text).length === 0) {
    throw broken(
      'Missing command after HEALTHCHECK CMD',
      'Write the command that tells whether the container is well.',
    );
  }
  const instruction: HealthcheckInstruction = {
    kind: 'healthcheck',
    keyword,
    original,
    range,
    comments,
    none: false,
    command,
  };
  set(instruction, 'interval', duration('interval', flags.interval));
  set(instruction, 'timeout', duration('timeout', flags.timeout));
  set(instruction, 'startPeriod', duration('start-period', flags['start-period']));
  set(instruction, 'startInterval', duration('start-interval', flags['start-interval']));
  set(instruction, 'retries', retries(flags.retries));
  return instruction;
}

function splitType(text: string): { type: string; rest: string } {
  const type = /^\S*/.exec(text)?.[0] ?? '';
  return { type: type.toUpperCase(), rest: text.slice(type.length).trim() };
}

function set(
  instruction: HealthcheckInstruction,
  member: 'interval' | 'timeout' | 'startPeriod' | 'startInterval' | 'retries',
  value: number | undefined,
): void {
  if (value !== undefined) instruction[member] = value;
}

/** Nanoseconds; nothing for 0 and for an empty value, which both inherit. */
function duration(flag: string, text: string | undefined): number | undefined {
  if (!text) return undefined;
  const value = parseDuration(text);
  if (value === 0) return undefined;
  if (value < 1e6)
    throw broken(
      `Interval ${goQuote(flag)} cannot be less than 1ms`,
      'Give a longer time, or 0 to inherit it.',
    );
  return value;
}

function retries(text: string | undefined): number | undefined {
  if (!text) return undefined;
  const value = /^[-+]?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(value)) {
    throw broken(`strconv.ParseInt: parsing ${goQuote(text)}: invalid syntax`, 'Write --retries=3.');
  }
  if (Math.abs(value) > 0x7fffffff) {
    throw broken(`strconv.ParseInt: parsing ${goQuote(text)}: value out of range`, 'Write --retries=3.');
  }
  if (value < 0)
    throw broken(
      `--retries cannot be negative (${value})`,
      'Write 0 to inherit the number, or a positive one.',
    );
  return value || undefined;
}

function broken(message: string, hint: string): Error {
  return fault('HEALTHCHECK', message, hint);
}
