/**
 * The state machine behind expand.ts: reads one word, once, from left to right. Follows BuildKit's
 * frontend/dockerfile/shell/lex.go but for one thing: in `${v//p/r}` a `$` in what r comes to is plain text, where
 * BuildKit hands it to Go's regexp as the name of a group and drops it.
 */
import type { EscapeToken } from './ast.js';
import { fault } from './fault.js';
import { replacePattern, trimPattern } from './substitute.js';

/** Value of a variable, undefined if it is not set. */
export type Lookup = (name: string) => string | undefined;

export interface LexOptions {
  escape: EscapeToken;
  /** Quotes stay in the result (they still group). */
  keepQuotes?: boolean;
  /** Escape characters stay in the result. */
  keepEscapes?: boolean;
  /** Quotes are ordinary text. */
  ignoreQuotes?: boolean;
  /** `$name` of an unset variable stays as written. */
  keepUnset?: boolean;
}

/** Longest result of one expansion, characters. Bounds what `ENV a=$a$a` in a row can come to. */
const maxResult = 16 * 1024 * 1024;
/** Deepest nesting of `${a:-${b:-…}}`. */
const maxDepth = 256;

/** Characters that mean nothing to any part of the language. */
const ordinary = /[^$'"\\`{}/\s\u0085]+/y;
/** Go's unicode.IsSpace: \s but for the byte order mark. */
const gaps = /(?:(?!\uFEFF)[\s\u0085])+/;

export class Lexer {
  readonly unset = new Set<string>();
  readonly #text: string;
  readonly #lookup: Lookup;
  readonly #options: LexOptions;
  #at = 0;
  #depth = 0;
  #keepEscapes = false;
  #words: string[] = [];
  #word = '';

  constructor(text: string, lookup: Lookup, options: LexOptions) {
    this.#text = text;
    this.#lookup = lookup;
    this.#options = options;
  }

  finishWords(): string[] {
    if (this.#word !== '') this.#words.push(this.#word);
    this.#word = '';
    return this.#words;
  }

  /** Reads up to (and takes) the stop character, or to the end where there is none. */
  until(stop: string | undefined, keepEscapes: boolean): string {
    const outer = this.#keepEscapes;
    this.#keepEscapes = keepEscapes;
    this.#depth += 1;
    if (this.#depth > maxDepth) {
      throw fault(
        'SUBSTITUTION',
        'substitutions are nested too deeply',
        'Give the inner values names of their own by ARG.',
      );
    }
    let result = '';
    let closed = stop === undefined;
    while (this.#at < this.#text.length) {
      const char = this.#text.charAt(this.#at);
      if (char === stop) {
        this.#at += 1;
        closed = true;
        break;
      }
      result += this.#piece(char, stop === undefined);
      this.#bound(result);
    }
    this.#depth -= 1;
    this.#keepEscapes = outer;
    if (!closed) {
      throw fault(
        'SUBSTITUTION',
        `unexpected end of statement while looking for matching ${stop}`,
        `Close the substitution with ${stop}.`,
      );
    }
    return result;
  }

  #bound(result: string): void {
    if (result.length > maxResult) {
      throw fault('TOO_LONG', 'the expanded text is longer than 16 MiB', 'Keep large texts in files.');
    }
  }

  #piece(char: string, top: boolean): string {
    if (char === '$') {
      const value = this.#dollar();
      if (top) this.#addSplitting(value);
      return value;
    }
    if ((char === "'" || char === '"') && this.#options.ignoreQuotes !== true) {
      const value = char === "'" ? this.#singleQuoted() : this.#doubleQuoted();
      if (top) this.#word += value;
      return value;
    }
    ordinary.lastIndex = this.#at;
    const run = ordinary.exec(this.#text)?.[0];
    if (run !== undefined) {
      this.#at += run.length;
      if (top) this.#word += run;
      return run;
    }
    this.#at += 1;
    if (char !== this.#options.escape) {
      if (top) this.#addSplitting(char);
      return char;
    }
    const kept = this.#keepEscapes ? char : '';
    const value = kept + this.#take();
    if (top) this.#word += value;
    return value;
  }

  #addSplitting(text: string): void {
    const [first = '', ...others] = text.split(gaps);
    this.#word += first;
    for (const other of others) {
      if (this.#word !== '') this.#words.push(this.#word);
      this.#word = other;
    }
  }

  /** The next whole character, or nothing at the end. */
  #take(): string {
    const code = this.#text.codePointAt(this.#at);
    if (code === undefined) return '';
    const char = String.fromCodePoint(code);
    this.#at += char.length;
    return char;
  }

  #unclosedQuote(name: string): Error {
    return fault(
      'UNCLOSED_QUOTE',
      `unexpected end of statement while looking for matching ${name}-quote`,
      `Close the quotation, or write the escape character before a ${name} quote that is meant as text.`,
    );
  }

  #singleQuoted(): string {
    const end = this.#text.indexOf("'", this.#at + 1);
    if (end < 0) throw this.#unclosedQuote('single');
    const keep = this.#options.keepQuotes === true;
    const value = keep ? this.#text.slice(this.#at, end + 1) : this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    return value;
  }

  #doubleQuoted(): string {
    const quote = this.#options.keepQuotes === true ? '"' : '';
    this.#at += 1;
    let result = quote;
    while (this.#at < this.#text.length) {
      const char = this.#text.charAt(this.#at);
      if (char === '"') {
        this.#at += 1;
        return result + quote;
      }
      if (char === '$') {
        result += this.#dollar();
        this.#bound(result);
        continue;
      }
      this.#at += 1;
      if (char !== this.#options.escape) {
        result += char;
        continue;
      }
      if (this.#keepEscapes) result += char;
      const next = this.#text.charAt(this.#at);
      if (next === '') continue;
      const escapable = next === '"' || next === '$' || next === this.#options.escape;
      result += escapable ? this.#take() : char;
    }
    throw this.#unclosedQuote('double');
  }

  #get(name: string): string | undefined {
    const value = this.#lookup(name);
    if (value === undefined) this.unset.add(name);
    return value;
  }

  #dollar(): string {
    this.#at += 1;
    if (this.#text.charAt(this.#at) !== '{') {
      const name = this.#name();
      if (name === '') return '$';
      return this.#get(name) ?? (this.#options.keepUnset ? `$${name}` : '');
    }
    this.#at += 1;
    const first = this.#text.charAt(this.#at);
    if (first === '') throw missingBrace();
    if (first === '{' || first === '}' || first === ':') {
      throw fault(
        'SUBSTITUTION',
        'syntax error: bad substitution',
        'Write ${NAME}; write \\$ for a plain dollar sign.',
      );
    }
    const name = this.#name();
    return this.#substitution(name, this.#take());
  }

  #substitution(name: string, operator: string): string {
    switch (operator) {
      case '':
        throw missingBrace();
      case '}':
        return this.#get(name) ?? (this.#options.keepUnset ? `\${${name}}` : '');
      case '/':
        return this.#replacement(name);
      case ':': {
        const modifier = this.#take();
        if (modifier === '') throw missingBrace();
        if (modifier !== '-' && modifier !== '+' && modifier !== '?') throw unsupported(`:${modifier}`);
        return this.#conditional(name, modifier, true);
      }
      case '-':
      case '+':
      case '?':
        return this.#conditional(name, operator, false);
      case '#':
      case '%':
        return this.#trimmed(name, operator);
      default:
        throw unsupported(operator);
    }
  }

  /** The operand of an operator, up to its delimiter. */
  #operand(stop: '}' | '/', keepEscapes: boolean): string {
    try {
      return this.until(stop, keepEscapes);
    } catch (error) {
      if (this.#at < this.#text.length || this.#depth > maxDepth) throw error;
      if (stop === '}') throw missingBrace();
      throw fault(
        'SUBSTITUTION',
        "syntax error: missing '/' in ${}",
        'Write it as ${NAME/pattern/replacement}.',
      );
    }
  }

  #conditional(name: string, modifier: '-' | '+' | '?', emptyIsUnset: boolean): string {
    const value = this.#get(name);
    const word = this.#operand('}', false);
    const present = value !== undefined && !(emptyIsUnset && value === '');
    if (modifier === '+') return present ? word : '';
    if (present) return value;
    if (modifier === '-') return word;
    const reason = value === undefined ? 'is not allowed to be unset' : 'is not allowed to be empty';
    throw fault(
      'SUBSTITUTION',
      `${name}: ${word || reason}`,
      `Give ${name} a value by --build-arg, ARG or ENV.`,
    );
  }

  #trimmed(name: string, operator: '#' | '%'): string {
    const value = this.#get(name);
    const word = this.#operand('}', true);
    const longest = word.startsWith(operator);
    const pattern = longest ? word.slice(1) : word;
    if (value === undefined && this.#options.keepUnset) return `\${${name}${operator}${word}}`;
    return trimPattern(value ?? '', pattern, operator === '#' ? 'start' : 'end', longest);
  }

  #replacement(name: string): string {
    const all = this.#text.charAt(this.#at) === '/';
    if (all) this.#at += 1;
    const value = this.#get(name);
    const pattern = this.#operand('/', true);
    const replacement = this.#operand('}', true);
    if (value === undefined && this.#options.keepUnset) {
      return `\${${name}/${all ? '/' : ''}${pattern}/${replacement}}`;
    }
    const replaced = replacePattern(value ?? '', pattern, replacement, all);
    this.#bound(replaced);
    return replaced;
  }

  /** A variable's name, or one of the shell's special parameters; empty if there is none. */
  #name(): string {
    const rest = /(?:\p{Nd}+|[@*#?\-$!]|[\p{L}_][\p{L}\p{Nd}_]*)/uy;
    rest.lastIndex = this.#at;
    const name = rest.exec(this.#text)?.[0] ?? '';
    this.#at += name.length;
    return name;
  }
}

function missingBrace(): Error {
  return fault(
    'SUBSTITUTION',
    "syntax error: missing '}'",
    'Close the substitution with }; write \\$ for a plain dollar sign.',
  );
}

function unsupported(modifier: string): Error {
  return fault(
    'SUBSTITUTION',
    `unsupported modifier (${modifier}) in substitution`,
    'Use one of ${v:-w} ${v-w} ${v:+w} ${v+w} ${v:?w} ${v?w} ${v#p} ${v##p} ${v%p} ${v%%p} ${v/p/r} ${v//p/r}.',
  );
}
