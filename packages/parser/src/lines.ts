/**
 * Physical lines to logical ones: comments gone, continuations joined, and for each character of the result the
 * place it came from (BuildKit's parser/parser.go).
 */
import type { SourceRange } from '@tsbuild/core';
import type { EscapeToken } from './ast.js';
import { skipBlanks, trimmedEnd } from './blanks.js';
import { none } from './none.js';
import { grown, type PhysicalLines } from './physical-lines.js';

/** A reader has one, which it fills anew for each line it reads. */
export interface LogicalLine {
  /** Without the leading blanks of the first line; trailing blanks stay. */
  text: string;
  /** Physical lines, from 1. */
  startLine: number;
  endLine: number;
  /** Column of the first line where the text begins, from 1; on the other lines it is 1. */
  startColumn: number;
  /**
   * For the stretches of the second and all further physical lines the offset in the text where each begins, and its
   * line.
   */
  joins: Int32Array;
  /** Comments since the last instruction, but for those before an empty one. */
  comments: readonly string[];
  /** Whether there are blank lines inside of the continuation. */
  hasBlankLines: boolean;
}

const hash = 0x23;
const noJoins = new Int32Array(0);

/** Walks the lines of a file; heredoc bodies are taken out by whoever knows that they are there. */
export class LineReader {
  readonly lines: PhysicalLines;
  readonly #escape: number;
  /** Index of the next line to read. */
  #at: number;
  #joins = new Int32Array(64);
  readonly #line: LogicalLine = {
    text: '',
    startLine: 0,
    endLine: 0,
    startColumn: 0,
    joins: noJoins,
    comments: none,
    hasBlankLines: false,
  };

  constructor(lines: PhysicalLines, escape: EscapeToken, firstLine: number) {
    this.lines = lines;
    this.#escape = escape.charCodeAt(0);
    this.#at = firstLine;
  }

  /** Number of the line that was read last, from 1; index of the next one. */
  get line(): number {
    return this.#at;
  }

  /** Goes on behind the line with this index. */
  skipPast(index: number): void {
    this.#at = index + 1;
  }

  /** The next instruction's line, undefined at the end. It holds until the next one is read. */
  next(): LogicalLine | undefined {
    const { text, starts, count } = this.lines;
    let comments: string[] | undefined;
    for (let index = this.#at; index < count; index += 1) {
      const start = starts[index] as number;
      const end = trimNewline(text, start, (starts[index + 1] as number) - 1);
      const at = skipBlanks(text, start, end);
      if (at === end) continue;
      if (text.charCodeAt(at) !== hash) {
        this.#at = index + 1;
        return this.#join(at, end, comments ?? none);
      }
      const from = skipBlanks(text, at + 1, end);
      if (from === end) comments = undefined;
      else {
        comments ??= [];
        comments.push(text.slice(from, trimmedEnd(text, from, end)));
      }
    }
    this.#at = count;
    return undefined;
  }

  /** @param at where the instruction begins in the line that was read last, which ends at `end` */
  #join(at: number, end: number, comments: readonly string[]): LogicalLine {
    const { text, starts } = this.lines;
    const line = this.#at;
    const startColumn = at - (starts[line - 1] as number) + 1;
    const stop = continuationAt(text, at, end, this.#escape);
    if (stop >= 0) return this.#joinFurther(at, stop, startColumn, comments);
    return this.#set(text.slice(at, end), line, startColumn, noJoins, comments, false);
  }

  /** @param firstStop where the first line's escape character stands */
  #joinFurther(at: number, firstStop: number, startColumn: number, comments: readonly string[]): LogicalLine {
    const { text, starts, count } = this.lines;
    const escape = this.#escape;
    const startLine = this.#at;
    let joins = this.#joins;
    let joinCount = 0;
    // Joined one by one, not as a list: for thousands of lines that takes an eighth of the time.
    let joined = text.slice(at, firstStop);
    let hasBlankLines = false;
    let open = true;
    let index = this.#at;
    for (; open && index < count; index += 1) {
      const start = starts[index] as number;
      const end = trimNewline(text, start, (starts[index + 1] as number) - 1);
      const content = skipBlanks(text, start, end);
      if (content === end) hasBlankLines = true;
      else if (text.charCodeAt(content) !== hash) {
        const stop = continuationAt(text, start, end, escape);
        open = stop >= 0;
        if (2 * joinCount === joins.length) joins = grown(joins);
        joins[2 * joinCount] = joined.length;
        joins[2 * joinCount + 1] = index + 1;
        joinCount += 1;
        joined += text.slice(start, open ? stop : end);
      }
    }
    this.#at = index;
    this.#joins = joins;
    const found = joins.subarray(0, 2 * joinCount);
    return this.#set(joined, startLine, startColumn, found, comments, hasBlankLines);
  }

  #set(
    text: string,
    startLine: number,
    startColumn: number,
    joins: Int32Array,
    comments: readonly string[],
    hasBlankLines: boolean,
  ): LogicalLine {
    const line = this.#line;
    line.text = text;
    line.startLine = startLine;
    line.endLine = this.#at;
    line.startColumn = startColumn;
    line.joins = joins;
    line.comments = comments;
    line.hasBlankLines = hasBlankLines;
    return line;
  }
}

/** Where a stretch of a logical line stands in the file. */
export function rangeOf(line: LogicalLine, start: number, end: number): SourceRange {
  const stop = Math.max(start, end);
  if (line.joins.length === 0) {
    const { startLine, startColumn } = line;
    return {
      startLine,
      startColumn: startColumn + start,
      endLine: startLine,
      endColumn: startColumn + stop,
    };
  }
  const from = joinBefore(line, start);
  const to = joinBefore(line, Math.max(start, end - 1));
  return {
    startLine: from < 0 ? line.startLine : (line.joins[2 * from + 1] as number),
    startColumn: from < 0 ? line.startColumn + start : 1 + start - (line.joins[2 * from] as number),
    endLine: to < 0 ? line.startLine : (line.joins[2 * to + 1] as number),
    endColumn: to < 0 ? line.startColumn + stop : 1 + stop - (line.joins[2 * to] as number),
  };
}

/** Index of the last join at or before the offset, -1 where there is none. */
function joinBefore({ joins }: LogicalLine, offset: number): number {
  let low = -1;
  let high = joins.length / 2 - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((joins[2 * middle] as number) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Offset after the line without the carriage returns at its end. */
export function trimNewline(text: string, start: number, end: number): number {
  let stop = end;
  while (stop > start && text.charCodeAt(stop - 1) === 0x0d) stop -= 1;
  return stop;
}

/** Where an escape character ends the line, blanks after it allowed, unless another stands before it; -1 if none does. */
function continuationAt(text: string, start: number, end: number, escape: number): number {
  let at = end - 1;
  while (at >= start && (text.charCodeAt(at) === 0x20 || text.charCodeAt(at) === 0x09)) at -= 1;
  if (at < start || text.charCodeAt(at) !== escape) return -1;
  return at > start && text.charCodeAt(at - 1) === escape ? -1 : at;
}
