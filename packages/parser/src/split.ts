/**
 * Splits a prepared instruction line with docker-file-parser, and demands exactly one instruction back.
 *
 * Prepared means: one line, flags cut off, heredoc bodies gone. What the package does right it does here:
 * JSON or plain form, lists, words. What it does not know (backtick escapes, arrays of other things than
 * strings, Go's idea of white space) is done or checked around it.
 */
import { parse as parseFile } from 'docker-file-parser';
import type { Command, EscapeToken } from './ast.js';
import { skipBlanks, trimmedEnd } from './blanks.js';
import { fault } from './fault.js';
import { keywordAt } from './instruction-names.js';
import { splitWords } from './words.js';

/** A list of arguments and whether it was written as a JSON array. */
export interface ListArguments {
  items: string[];
  json: boolean;
}

/**
 * Words without a character that could mean anything, one blank between them; and the same with a value in double
 * quotes at the end of a word. docker-file-parser splits them no differently (its test compares), but takes one to two
 * microseconds and up to 4 KB for each call.
 */
const plainWords = /^[\w.,:=/@%+<-]+(?: [\w.,:=/@%+<-]+)*$/;
const plainPairs = /^[\w.,:=/@%+-]+(?:"[\w .,:=/@%+-]*")?(?: [\w.,:=/@%+-]+(?:"[\w .,:=/@%+-]*")?)*$/;
/** Longest text that they are tried on, characters: a backtracking expression keeps a note of every step. */
const maxPlain = 4096;

/** Keyword and the rest of an instruction line, both trimmed. */
export function splitKeyword(line: string): { keyword: string; rest: string; restOffset: number } {
  const start = skipBlanks(line, 0, line.length);
  const end = trimmedEnd(line, start, line.length);
  let gap = start;
  while (gap < end && !isGap(line.charCodeAt(gap))) gap += 1;
  const restOffset = skipBlanks(line, gap, end);
  return { keyword: keywordAt(line, start, gap), rest: line.slice(restOffset, end), restOffset };
}

/** The blanks of ASCII without the line end: BuildKit ends a keyword only there. */
function isGap(code: number): boolean {
  return code === 0x20 || code === 0x09 || (code >= 0x0b && code <= 0x0d);
}

/**
 * RUN, CMD, ENTRYPOINT, SHELL and HEALTHCHECK CMD: a JSON array of strings, or one string.
 * @param line the instruction's line if it is only RUN, CMD or ENTRYPOINT, one blank and `rest`
 */
export function splitCommand(rest: string, line = `CMD ${rest}`): Command {
  // Other text cannot be an array, and is what docker-file-parser would give back.
  if (rest.charCodeAt(0) !== 0x5b || !rest.trimEnd().endsWith(']')) return { form: 'shell', text: rest };
  const args = ask(line);
  if (Array.isArray(args)) return { form: 'exec', args };
  refuseMixedArray(rest);
  return { form: 'shell', text: rest };
}

/** ADD, COPY, VOLUME: a JSON array of strings, or words between blanks (quotes mean nothing here). */
export function splitList(rest: string): ListArguments {
  if (rest === '') return { items: [], json: false };
  if (rest.charCodeAt(0) === 0x5b) {
    const command = splitCommand(rest);
    if (command.form === 'exec') return { items: command.args, json: true };
  }
  return { items: splitBlanks(rest), json: false };
}

/** FROM, EXPOSE: words between blanks. */
export function splitBlanks(rest: string): string[] {
  if (rest === '') return [];
  if (rest.length <= maxPlain && plainWords.test(rest)) return rest.split(' ');
  const args = ask(`EXPOSE ${rest}`);
  if (!Array.isArray(args)) throw new Error('docker-file-parser gave no list for EXPOSE');
  return args;
}

/** ENV, LABEL, ARG: words with quotes and escapes respected and kept, in the order in which they stand. */
export function splitQuoted(rest: string, escape: EscapeToken): string[] {
  if (rest.length <= maxPlain) {
    if (plainWords.test(rest)) return rest.split(' ');
    if (plainPairs.test(rest)) return rest.match(/[^ "]+(?:"[^"]*")?/g) ?? [];
  }
  if (escape !== '\\' || /[\u0085\uFEFF]/.test(rest)) return splitWords(rest, escape);
  const args = ask(`ARG ${rest}`);
  if (!Array.isArray(args)) throw new Error('docker-file-parser gave no list for ARG');
  return args;
}

/** Arguments of one line as docker-file-parser splits them by the rule of its instruction. */
function ask(line: string): string | string[] {
  // Its line would go on after a \ at the end, which here is text: let it look for another escape character.
  const commands = parseFile(line.endsWith('\\') ? `# escape=\`\n${line}` : line);
  const [command] = commands;
  if (commands.length !== 1 || command === undefined) {
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
