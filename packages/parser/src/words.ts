/**
 * Splits the arguments of ENV, LABEL and ARG into words: quotes and escapes protect blanks and are kept
 * (BuildKit's parseWords in parser/line_parsers.go).
 */
import type { EscapeToken } from './ast.js';
import { isBlank, skipBlanks } from './blanks.js';

export function splitWords(text: string, escape: EscapeToken): string[] {
  const words: string[] = [];
  const { length } = text;
  const escapeCode = escape.charCodeAt(0);
  let at = skipBlanks(text, 0, length);
  while (at < length) {
    const offset = at;
    let quote = 0;
    let end = at;
    for (; at < length; at += 1) {
      const code = text.charCodeAt(at);
      if (quote === 0 && isBlank(code)) break;
      if (code === escapeCode && quote !== 0x27) {
        // At the very end an escape character is dropped.
        if (at + 1 === length) break;
        at += 1;
      } else if (quote === 0 ? code === 0x22 || code === 0x27 : code === quote) {
        quote = quote === 0 ? code : 0;
      }
      end = at + 1;
    }
    if (end > offset) words.push(text.slice(offset, end));
    if (at + 1 === length && text.charCodeAt(at) === escapeCode) break;
    at = skipBlanks(text, at, length);
  }
  return words;
}
