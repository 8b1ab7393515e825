/** Heredocs: finding them in an instruction line and taking their bodies (BuildKit's parser/parser.go). */
import type { Heredoc } from './ast.js';
import { findBlank, isBlank, skipBlanks } from './blanks.js';
import { lex } from './expand.js';
import { fault } from './fault.js';
import { type LineReader, trimNewline } from './lines.js';
import { none } from './none.js';

const nothing = () => undefined;
/** A name that means itself. */
const plainName = /^[\w.-]+$/;
/** No quote, escape or variable: words are what stands between blanks. */
const plainLine = /^[\w.\-<=/:, \t]*$/;

/** Reads one word as a heredoc, undefined if it is none: `[digits]<<[-]name`. It has no body yet. */
export function readHeredocWord(word: string): Heredoc | undefined {
  const sign = word.indexOf('<<');
  if (sign < 0) return undefined;
  for (let at = 0; at < sign; at += 1) if (!isDigit(word.charCodeAt(at))) return undefined;
  const isChomped = word.charCodeAt(sign + 2) === 0x2d;
  const rest = word.slice(isChomped ? sign + 3 : sign + 2);
  if (rest === '' || rest.includes('<')) return undefined;
  const fileDescriptor = sign === 0 ? 0 : Number(word.slice(0, sign));
  if (plainName.test(rest)) return heredoc(rest, true, isChomped, fileDescriptor);
  const [name, more] = lex(rest, nothing, { escape: '\\', keepUnset: true }).words;
  if (name === undefined || more !== undefined) return undefined;
  const kept = lex(rest, nothing, { escape: '\\', keepUnset: true, keepQuotes: true }).words;
  if (kept.length !== 1) return undefined;
  return heredoc(name, kept[0] === name, isChomped, fileDescriptor);
}

function heredoc(name: string, expand: boolean, isChomped: boolean, fileDescriptor: number): Heredoc {
  return { name, expand, chomp: isChomped, fileDescriptor, body: '', rawBody: '' };
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/**
 * The heredocs of a whole instruction line, in order. A line with an open quotation has none. After `<<` blanks
 * do not end a word, in arithmetic such as `$((1 << 3))` neither: BuildKit reads that as a heredoc too.
 */
export function findHeredocs(line: string): readonly Heredoc[] {
  const first = line.indexOf('<<');
  if (first < 0) return none;
  let found: Heredoc[] | undefined;
  let open = '';
  const read = (word: string) => {
    const whole = open + word;
    if (whole.endsWith('<<')) {
      // What has more signs than one is no heredoc, whatever follows: no need to carry it along.
      open = whole.indexOf('<<') === whole.length - 2 ? whole : '<<<<';
      return;
    }
    open = '';
    const one = readHeredocWord(whole);
    if (one === undefined) return;
    // A short list that is pushed to gets room for sixteen more.
    if (found === undefined) found = [one];
    else if (found.length < 4) found = [...found, one];
    else found.push(one);
  };
  if (plainLine.test(line)) eachPlainWord(line, first, read);
  else for (const word of quotedWords(line)) read(word);
  return found ?? none;
}

/** What stands between blanks, from the word on that holds the offset. */
function eachPlainWord(line: string, offset: number, read: (word: string) => void): void {
  const { length } = line;
  let at = offset;
  while (at > 0 && !isBlank(line.charCodeAt(at - 1))) at -= 1;
  while (at < length) {
    const end = findBlank(line, at, length);
    read(line.slice(at, end));
    at = skipBlanks(line, end, length);
  }
}

function quotedWords(line: string): string[] {
  try {
    return lex(line, nothing, { escape: '\\', keepQuotes: true, keepEscapes: true, keepUnset: true }).words;
  } catch {
    return [];
  }
}

/** Takes the bodies that follow the instruction line. */
export function takeBodies(heredocs: readonly Heredoc[], reader: LineReader): void {
  const { lines } = reader;
  for (const heredoc of heredocs) {
    const first = reader.line;
    const last = terminatorOf(reader, first, heredoc.name, heredoc.chomp);
    heredoc.rawBody = lines.text.slice(lines.start(first), lines.start(last));
    heredoc.body = heredoc.chomp ? chomp(heredoc.rawBody) : heredoc.rawBody;
    reader.skipPast(last);
  }
}

/** Index of the line that ends the body. */
function terminatorOf(reader: LineReader, first: number, name: string, isChomped: boolean): number {
  const { lines } = reader;
  const { text } = lines;
  const initial = name.charCodeAt(0);
  for (let index = first; index < lines.count; index += 1) {
    const start = lines.start(index);
    const end = lines.end(index);
    let from = start;
    if (isChomped) while (text.charCodeAt(from) === 0x09) from += 1;
    if (text.charCodeAt(from) !== initial && text.charCodeAt(start) !== initial) continue;
    if (text.slice(from, trimNewline(text, from, end)) === name || text.slice(start, end) === name)
      return index;
  }
  reader.skipPast(lines.count - 1);
  throw fault(
    'HEREDOC',
    'unterminated heredoc',
    `Add a line that holds only ${name}; if no heredoc is meant, put << in quotes.`,
  );
}

/** Removes the leading tabs of every line. */
export function chomp(text: string): string {
  return text.includes('\t') ? text.replace(/(^|\n)\t+/g, '$1') : text;
}

/** The bodies as they follow an instruction: each with its terminator, joined by line ends. */
export function heredocText(heredocs: readonly Heredoc[]): string {
  return heredocs.map((heredoc) => `\n${heredoc.rawBody}${heredoc.name}`).join('');
}
