/**
 * Expansion of words: quotes, escapes, `$name` and `${name…}`, as BuildKit's frontend/dockerfile/shell/lex.go.
 *
 * A word is looked at once, from left to right; what a variable holds is never looked at again. Names that were
 * used but have no value are reported, not refused.
 */
import { goQuote } from '@tsbuild/core';
import type { EscapeToken } from './ast.js';
import { Lexer, type LexOptions, type Lookup } from './lexer.js';

export type { LexOptions, Lookup } from './lexer.js';

export interface Expansion {
  value: string;
  /** Names that were looked up and not set, each once, in order of use. */
  unset: string[];
}

export interface WordsExpansion {
  words: string[];
  unset: string[];
}

/**
 * Expands a raw word to one string; blanks of a value stay.
 * @throws TsbuildError TSB_PARSE_SUBSTITUTION, TSB_PARSE_UNCLOSED_QUOTE: `failed to process "WORD": …`
 */
export function expandWord(raw: string, lookup: Lookup, escape: EscapeToken = '\\'): Expansion {
  const { value, unset } = lex(raw, lookup, { escape });
  return { value, unset };
}

/** Expands a raw word and splits the result at blanks that no quote or escape protects (EXPOSE). */
export function expandWords(raw: string, lookup: Lookup, escape: EscapeToken = '\\'): WordsExpansion {
  const { words, unset } = lex(raw, lookup, { escape });
  return { words, unset };
}

/** Expands the body of an unquoted heredoc of COPY or ADD: quotes are text and the escape is always `\`. */
export function expandHeredoc(body: string, lookup: Lookup): Expansion {
  const { value, unset } = lex(body, lookup, { escape: '\\', ignoreQuotes: true });
  return { value, unset };
}

/** The general form of the three above. */
export function lex(raw: string, lookup: Lookup, options: LexOptions): Expansion & WordsExpansion {
  // Most words have nothing to expand.
  if (!/[$'"\\`\s\u0085]/.test(raw)) return { value: raw, words: raw === '' ? [] : [raw], unset: [] };
  const lexer = new Lexer(raw, lookup, options);
  try {
    const value = lexer.until(undefined, options.keepEscapes ?? false);
    return { value, words: lexer.finishWords(), unset: [...lexer.unset] };
  } catch (error) {
    if (error instanceof Error && error.message.length < 4096) {
      const shown = raw.length > 400 ? `${raw.slice(0, 400)}…` : raw;
      error.message = `failed to process ${goQuote(shown)}: ${error.message}`;
    }
    throw error;
  }
}
