/** What an instruction's own parser gets, and the checks of counts that many of them share. */
import type { SourceRange } from '@tsbuild/core';
import type { Command, EscapeToken, Heredoc, InstructionBase } from '../ast.js';
import { fault } from '../fault.js';
import { flagTable, readFlags } from '../flags.js';
import { type LogicalLine, rangeOf } from '../lines.js';
import { splitCommand } from '../split.js';

export interface Request extends InstructionBase {
  /** In upper case. */
  name: string;
  /** Everything after keyword and flags, trimmed. */
  rest: string;
  flags: readonly string[];
  escape: EscapeToken;
  heredocs: readonly Heredoc[];
  line: LogicalLine;
  /** Where `rest` begins in the line. */
  offset: number;
}

const noFlags = flagTable({});

/** Range of a stretch of `rest`. */
export function rangeIn({ line, offset }: Request, start: number, end: number): SourceRange {
  return rangeOf(line, offset + start, offset + end);
}

export function refuseFlags({ flags }: Request): void {
  if (flags.length > 0) readFlags(flags, noFlags);
}

/** The command that RUN, CMD or ENTRYPOINT holds. */
export function commandOf({ keyword, name, original, rest, offset }: Request): Command {
  const bare = keyword === name && offset === keyword.length + 1 && original.length === offset + rest.length;
  return bare && original.charCodeAt(keyword.length) === 0x20
    ? splitCommand(rest, original)
    : splitCommand(rest);
}

export function countFault(message: string, hint: string): Error {
  return fault('ARGUMENTS', message, hint);
}

export function atLeastOne(request: Request, count: number, example: string): void {
  if (count > 0) return;
  throw countFault(`${request.name} requires at least one argument`, `Write for example ${example}.`);
}

export function exactlyOne(request: Request, example: string): string {
  if (request.rest !== '') return request.rest;
  throw countFault(`${request.name} requires exactly one argument`, `Write for example ${example}.`);
}
