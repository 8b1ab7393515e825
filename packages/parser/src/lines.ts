/**
 * Physical lines to logical ones: comments gone, continuations joined, and for each character of the result the
 * place it came from (BuildKit's parser/parser.go).
 */
import type { SourceRange } from '@tsbuild/core';
import { trimSpace } from '@tsbuild/core';
import type { EscapeToken } from './ast.js';

/** A stretch of a logical line that stands on one physical line. */
interface Piece {
  /** Offset in the logical line where it begins. */
  offset: number;
  line: number;
  column: number;
}

export interface LogicalLine {
  /** Without the leading blanks of the first line; trailing blanks stay. */
  text: string;
  /** Physical lines, from 1. */
  startLine: number;
  endLine: number;
  pieces: Piece[];
  /** Comments since the last instruction, but for those before an empty one. */
  comments: string[];
  /** Lines of the last comment block, from 1, one for each of `comments`. */
  commentLines: number[];
  /** Blank lines and comment lines inside of the continuation. */
  emptyLines: number[];
  innerComments: number[];
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

  /** The next instruction's line, undefined at the end. */
  next(): LogicalLine | undefined {
    let comments: string[] = [];
    let commentLines: number[] = [];
    for (let raw = this.takeRaw(); raw !== undefined; raw = this.takeRaw()) {
      const line = trimNewline(raw);
      const content = trimStart(line);
      if (content === '') continue;
      if (!content.startsWith('#'))
        return this.#join(content, line.length - content.length + 1, comments, commentLines);
      const comment = trimSpace(content.slice(1));
      if (comment === '') {
        comments = [];
        commentLines = [];
      } else {
        comments.push(comment);
        commentLines.push(this.#at);
      }
    }
    return undefined;
  }

  #join(first: string, column: number, comments: string[], commentLines: number[]): LogicalLine {
    const startLine = this.#at;
    const head = cutContinuation(first, this.#escape);
    const parts = [head.text];
    const pieces: Piece[] = [{ offset: 0, line: startLine, column }];
    const emptyLines: number[] = [];
    const innerComments: number[] = [];
    let length = head.text.length;
    for (let open = head.continued; open; ) {
      const raw = this.takeRaw();
      if (raw === undefined) break;
      const line = trimNewline(raw);
      const content = trimStart(line);
      if (content.startsWith('#')) {
        innerComments.push(this.#at);
      } else if (content === '') {
        emptyLines.push(this.#at);
      } else {
        const { text, continued } = cutContinuation(line, this.#escape);
        pieces.push({ offset: length, line: this.#at, column: 1 });
        parts.push(text);
        length += text.length;
        open = continued;
      }
    }
    return {
      text: parts.join(''),
      startLine,
      endLine: this.#at,
      pieces,
      comments,
      commentLines,
      emptyLines,
      innerComments,
    };
  }
}

/** Where a stretch of a logical line stands in the file. */
export function rangeOf(line: LogicalLine, start: number, end: number): SourceRange {
  const from = pieceAt(line, start);
  const to = pieceAt(line, Math.max(start, end - 1));
  return {
    startLine: from.line,
    startColumn: from.column + start - from.offset,
    endLine: to.line,
    endColumn: to.column + Math.max(start, end) - to.offset,
  };
}

function pieceAt(line: LogicalLine, offset: number): Piece {
  let low = 0;
  let high = line.pieces.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((line.pieces[middle] as Piece).offset <= offset) low = middle;
    else high = middle - 1;
  }
  return line.pieces[low] as Piece;
}

/** Without the carriage returns at the end. */
export function trimNewline(line: string): string {
  if (!line.endsWith('\r')) return line;
  let end = line.length;
  while (line.charAt(end - 1) === '\r') end -= 1;
  return line.slice(0, end);
}

function trimStart(line: string): string {
  return /^[\s\u0085]/.test(line) ? line.replace(/^(?:(?!\uFEFF)[\s\u0085])+/, '') : line;
}

/** An escape character at the end, blanks after it allowed, unless another stands before it. */
function cutContinuation(line: string, escape: EscapeToken): { text: string; continued: boolean } {
  let end = line.length;
  while (line.charAt(end - 1) === ' ' || line.charAt(end - 1) === '\t') end -= 1;
  if (line.charAt(end - 1) !== escape || line.charAt(end - 2) === escape)
    return { text: line, continued: false };
  return { text: line.slice(0, end - 1), continued: true };
}
