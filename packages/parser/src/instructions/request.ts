/** What an instruction's own parser gets, and the checks of counts that many of them share. */
import type { SourceRange } from '@tsbuild/core';
import type { EscapeToken, Heredoc, InstructionBase } from '../ast.js';
import { fault } from '../fault.js';
import { type FlagType, type FlagValues, readFlags } from '../flags.js';

export interface Request {
  /** In upper case. */
  name: string;
  /** Everything after keyword and flags, trimmed. */
  rest: string;
  flags: readonly string[];
  escape: EscapeToken;
  heredocs: readonly Heredoc[];
  base: InstructionBase;
  /** Range of a stretch of `rest`. */
  rangeOf(start: number, end: number): SourceRange;
}

/** The instruction's flags; call it without a table for instructions that have none. */
export function flagsOf<S extends Record<string, FlagType>>(request: Request, known: S): FlagValues<S> {
  return readFlags(request.flags, known);
}

export function refuseFlags(request: Request): void {
  if (request.flags.length > 0) readFlags(request.flags, {});
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
