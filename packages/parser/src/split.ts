/**
 * Splits a prepared instruction line with docker-file-parser, and demands exactly one instruction back.
 *
 * Prepared means: one line, flags cut off, heredoc bodies gone. What the package does right it does here:
 * JSON or plain form, lists, words. What it does not know (backtick escapes, arrays of other things than
 * strings, Go's idea of white space) is done or checked around it.
 */
import { parse as parseFile } from 'docker-file-parser';
import { trimSpace } from '@tsbuild/core';
import type { Command, EscapeToken } from './ast.js';
import { fault } from './fault.js';
import { type Word, splitWords } from './words.js';

/** A list of arguments and whether it was written as a JSON array. */
export interface ListArguments {
  items: string[];
  json: boolean;
}

/** Nothing to split: docker-file-parser would give it back as it is. */
const oneWord = /^[\w.,:=/@%+-]+$/;

/** Keyword and the rest of an instruction line, both trimmed. */
export function splitKeyword(line: string): { keyword: string; rest: string; restOffset: number } {
  const trimmed = trimSpace(line);
  const start = trimmed === line ? 0 : line.indexOf(trimmed);
  const gap = trimmed.search(/[\t\v\f\r ]/);
  if (gap < 0) return { keyword: trimmed, rest: '', restOffset: line.length };
  const rest = trimSpace(trimmed.slice(gap + 1));
  return { keyword: trimmed.slice(0, gap), rest, restOffset: start + trimmed.length - rest.length };
}

/** RUN, CMD, ENTRYPOINT, SHELL and HEALTHCHECK CMD: a JSON array of strings, or one string. */
export function splitCommand(rest: string): Command {
  // Other text cannot be an array, and is what docker-file-parser would give back.
  if (!rest.startsWith('[') || !rest.trimEnd().endsWith(']')) return { form: 'shell', text: rest };
  const args = ask('CMD', rest);
  if (Array.isArray(args)) return { form: 'exec', args };
  refuseMixedArray(rest);
  return { form: 'shell', text: rest };
}

/** ADD, COPY, VOLUME: a JSON array of strings, or words between blanks (quotes mean nothing here). */
export function splitList(rest: string): ListArguments {
  if (rest === '') return { items: [], json: false };
  if (rest.startsWith('[')) {
    const command = splitCommand(rest);
    if (command.form === 'exec') return { items: command.args, json: true };
  }
  return { items: splitBlanks(rest), json: false };
}

/** FROM, EXPOSE: words between blanks. */
export function splitBlanks(rest: string): string[] {
  if (rest === '') return [];
  if (oneWord.test(rest)) return [rest];
  const args = ask('EXPOSE', rest);
  if (!Array.isArray(args)) throw new Error('docker-file-parser gave no list for EXPOSE');
  return args;
}

/** ENV, LABEL, ARG: words with quotes and escapes respected and kept. */
export function splitQuoted(rest: string, escape: EscapeToken): Word[] {
  if (oneWord.test(rest)) return [{ text: rest, offset: 0 }];
  if (escape !== '\\' || /[\u0085\uFEFF]/.test(rest)) return splitWords(rest, escape);
  const args = ask('ARG', rest);
  if (!Array.isArray(args)) throw new Error('docker-file-parser gave no list for ARG');
  let from = 0;
  return args.map((text) => {
    const offset = rest.indexOf(text, from);
    from = offset + text.length;
    return { text, offset };
  });
}

/** Arguments of one line as docker-file-parser splits them by the rule of that instruction. */
function ask(rule: 'CMD' | 'EXPOSE' | 'ARG', rest: string): string | string[] {
  // Its line would go on after a \ at the end, which here is text: let it look for another escape character.
  const prefix = rest.endsWith('\\') ? '# escape=`\n' : '';
  const commands = parseFile(`${prefix}${rule} ${rest}`);
  const [command] = commands;
  if (commands.length === 0 && rest === '') return rule === 'CMD' ? '' : [];
  if (commands.length !== 1 || command === undefined || command.name !== rule) {
    throw new Error(`docker-file-parser found ${commands.length} instructions in one line`);
  }
  const { args } = command;
  return typeof args === 'string' || Array.isArray(args) ? args : [];
}

/** An array that is right JSON but holds other things than strings is an error, not the plain form. */
function refuseMixedArray(rest: string): void {
  let parsed: unknown;
  try {
    parsed = JSON.parse(rest);
  } catch {
    return;
  }
  if (Array.isArray(parsed)) {
    throw fault(
      'JSON_ARRAY',
      'when using JSON array syntax, arrays must be comprised of strings only',
      'Put every element in double quotes.',
    );
  }
}
