/**
 * Splits the arguments of ENV, LABEL and ARG into words: quotes and escapes protect blanks and are kept
 * (BuildKit's parseWords in parser/line_parsers.go).
 */
import type { EscapeToken } from './ast.js';

export interface Word {
  text: string;
  /** Offset of its first character in the split text. */
  offset: number;
}

export function splitWords(text: string, escape: EscapeToken): Word[] {
  const words: Word[] = [];
  const blank = /(?!\uFEFF)[\s\u0085]/y;
  const isBlank = (at: number) => {
    blank.lastIndex = at;
    return blank.test(text);
  };
  let at = 0;
  while (at < text.length) {
    if (isBlank(at)) {
      at += 1;
      continue;
    }
    const offset = at;
    let quote = '';
    let end = at;
    for (; at < text.length && (quote !== '' || !isBlank(at)); at += 1) {
      const char = text.charAt(at);
      if (char === escape && quote !== "'") {
        // At the very end an escape character is dropped.
        if (at + 1 === text.length) break;
        at += 1;
      } else if (quote === '' ? char === '"' || char === "'" : char === quote) {
        quote = quote === '' ? char : '';
      }
      end = at + 1;
    }
    if (end > offset) words.push({ text: text.slice(offset, end), offset });
    if (at + 1 === text.length && text.charAt(at) === escape) break;
  }
  return words;
}
