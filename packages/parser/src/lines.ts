/**
 * Physical lines to logical ones: comments gone, continuations joined, and for each character of the result the
 * place it came from (BuildKit's parser/parser.go).
 */
import type { SourceRange } from '@tsbuild/core';
import { trimSpace } from '@tsbuild/core';
import type { EscapeToken } from './ast.js';
import { none } from './none.js';

export interface LogicalLine {
  /** Without the leading blanks of the first line; trailing blanks stay. */
  text: string;
  /** Physical lines, from 1. */
  startLine: number;
  endLine: number;
  /** Column of the first line where the text begins, from 1; on the other lines it is 1. */
  startColumn: number;
  /** Offsets in the text where the stretches of the second and all further physical lines begin, and those lines. */
  joins: readonly number[];
  joinLines: readonly number[];
  /** Comments since the last instruction, but for those before an empty one. */
  comments: readonly string[];
  /** Lines of the last comment block, from 1, one for each of `comments`. */
  commentLines: readonly number[];
  /** Blank lines and comment lines inside of the continuation. */
  emptyLines: readonly number[];
  innerComments: readonly number[];
}

/** Walks the lines of a file; heredoc bodies are taken out by whoever knows that they are there. */
export class LineReader {
  readonly #lines: readonly string[];
  readonly #escape: EscapeToken;
  /** Index of the next line to read. */
  #at: number;

  /** @param lines physical lines without `\n`; a `\r` may end them */
  constructor(lines: readonly string[], escape: EscapeToken, firstLine: number) {
    this.#lines = lines;
    this.#escape = escape;
    this.#at = firstLine;
  }

  /** Number of the line that was read last, from 1. */
  get line(): number {
    return this.#at;
  }

  /** The next physical line as it stands, undefined at the end. */
  takeRaw(): string | undefined {
    const line = this.#lines[this.#at];
    if (line !== undefined) this.#at += 1;
    return line;
  }

  /** Lines that were read, as they stand: from the index `start` up to `end`, which is not among them. */
  between(start: number, end: number): string[] {
    return this.#lines.slice(start, end);
  }

  /** The next instruction's line, undefined at the end. */
  next(): LogicalLine | undefined {
    let comments: string[] | undefined;
    let commentLines: number[] | undefined;
    for (let raw = this.takeRaw(); raw !== undefined; raw = this.takeRaw()) {
      const line = trimNewline(raw);
      const content = trimStart(line);
      if (content === '') continue;
      if (!content.startsWith('#'))
        return this.#join(content, line.length - content.length + 1, comments ?? none, commentLines ?? none);
      const comment = trimSpace(content.slice(1));
      if (comment === '') {
        comments = undefined;
        commentLines = undefined;
      } else {
        comments ??= [];
        comments.push(comment);
        commentLines ??= [];
        commentLines.push(this.#at);
      }
    }
    return undefined;
  }

  #join(
    first: string,
    column: number,
    comments: readonly string[],
    commentLines: readonly number[],
  ): LogicalLine {
    const startLine = this.#at;
    let end = continuationAt(first, this.#escape);
    if (end < 0) {
      return {
        text: first,
        startLine,
        endLine: startLine,
        startColumn: column,
        joins: none,
        joinLines: none,
        comments,
        commentLines,
        emptyLines: none,
        innerComments: none,
      };
    }
    const parts = [first.slice(0, end)];
    const joins: number[] = [];
    const joinLines: number[] = [];
    const emptyLines: number[] = [];
    const innerComments: number[] = [];
    let length = end;
    while (end >= 0) {
      const raw = this.takeRaw();
      if (raw === undefined) break;
      const line = trimNewline(raw);
      const at = contentStart(line);
      if (at === line.length) {
        emptyLines.push(this.#at);
      } else if (line.charCodeAt(at) === 0x23) {
        innerComments.push(this.#at);
      } else {
        end = continuationAt(line, this.#escape);
        const text = end < 0 ? line : line.slice(0, end);
        joins.push(length);
        joinLines.push(this.#at);
        parts.push(text);
        length += text.length;
      }
    }
    return {
      text: parts.join(''),
      startLine,
      endLine: this.#at,
      startColumn: column,
      joins,
      joinLines,
      comments,
      commentLines,
      emptyLines,
      innerComments,
    };
  }
}

/** Where a stretch of a logical line stands in the file. */
export function rangeOf(line: LogicalLine, start: number, end: number): SourceRange {
  const stop = Math.max(start, end);
  const from = joinBefore(line, start);
  const to = joinBefore(line, Math.max(start, end - 1));
  return {
    startLine: from < 0 ? line.startLine : (line.joinLines[from] as number),
    startColumn: from < 0 ? line.startColumn + start : 1 + start - (line.joins[from] as number),
    endLine: to < 0 ? line.startLine : (line.joinLines[to] as number),
    endColumn: to < 0 ? line.startColumn + stop : 1 + stop - (line.joins[to] as number),
  };
}

/** Index of the last join at or before the offset, -1 where there is none. */
function joinBefore({ joins }: LogicalLine, offset: number): number {
  let low = -1;
  let high = joins.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((joins[middle] as number) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Without the carriage returns at the end. */
export function trimNewline(line: string): string {
  if (!line.endsWith('\r')) return line;
  let end = line.length;
  while (line.charAt(end - 1) === '\r') end -= 1;
  return line.slice(0, end);
}

function trimStart(line: string): string {
  const start = contentStart(line);
  return start === 0 ? line : line.slice(start);
}

/** Where the first character stands that is no blank: Go's unicode.IsSpace, \s but for the byte order mark. */
function contentStart(line: string): number {
  let at = 0;
  while (at < line.length && isBlank(line.charCodeAt(at))) at += 1;
  return at;
}

function isBlank(code: number): boolean {
  if (code <= 0x20) return code === 0x20 || (code >= 0x09 && code <= 0x0d);
  if (code < 0x80) return false;
  return code === 0x85 || (code !== 0xfeff && /\s/.test(String.fromCharCode(code)));
}

/** Where an escape character ends the line, blanks after it allowed, unless another stands before it; -1 if none does. */
function continuationAt(line: string, escape: EscapeToken): number {
  const code = escape.charCodeAt(0);
  let end = line.length - 1;
  while (line.charCodeAt(end) === 0x20 || line.charCodeAt(end) === 0x09) end -= 1;
  return line.charCodeAt(end) === code && line.charCodeAt(end - 1) !== code ? end : -1;
}
