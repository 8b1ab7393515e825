/**
 * Go's filepath.Match for Unix: `*` and `?` stop at `/`, `[a-z]`, `[^a]`, `\c`. It matches the whole name.
 * Used for COPY sources and to validate ignore patterns (https://pkg.go.dev/path/filepath#Match).
 */
import { TsbuildError } from './errors.js';

type Token =
  | { type: 'star' }
  | { type: 'any' }
  | { type: 'literal'; char: number }
  | { type: 'class'; negated: boolean; ranges: [number, number][] };

/** @throws TsbuildError TSB_CONTEXT_BAD_PATTERN: `syntax error in pattern` */
export function goMatch(pattern: string, name: string): boolean {
  return matchTokens(parse(pattern), codePoints(name));
}

/** Whether Match would take the text for more than a plain name (what BuildKit asks of COPY sources). */
export function hasWildcard(pattern: string): boolean {
  for (let i = 0; i < pattern.length; i += 1) {
    const char = pattern.charAt(i);
    if (char === '\\') i += 1;
    else if (char === '*' || char === '?' || char === '[') return true;
  }
  return false;
}

/** @throws TsbuildError TSB_CONTEXT_BAD_PATTERN */
export function checkGoPattern(pattern: string): void {
  parse(pattern);
}

function badPattern(pattern: string): TsbuildError {
  return new TsbuildError('TSB_CONTEXT_BAD_PATTERN', `syntax error in pattern: ${JSON.stringify(pattern)}`, {
    hint: 'Close every [ with a ], and write \\[ for the character itself.',
  });
}

function codePoints(text: string): number[] {
  return Array.from(text, (char) => char.codePointAt(0) as number);
}

const slash = 0x2f;

function parse(pattern: string): Token[] {
  const chars = codePoints(pattern);
  const tokens: Token[] = [];
  let at = 0;

  const classChar = (): number => {
    let char = chars[at];
    if (char === undefined || char === 0x2d || char === 0x5d) throw badPattern(pattern);
    if (char === 0x5c) {
      at += 1;
      char = chars[at];
      if (char === undefined) throw badPattern(pattern);
    }
    at += 1;
    if (at >= chars.length) throw badPattern(pattern);
    return char;
  };

  while (at < chars.length) {
    const char = chars[at] as number;
    at += 1;
    if (char === 0x2a) {
      if (tokens.at(-1)?.type !== 'star') tokens.push({ type: 'star' });
    } else if (char === 0x3f) {
      tokens.push({ type: 'any' });
    } else if (char === 0x5c) {
      const next = chars[at];
      if (next === undefined) throw badPattern(pattern);
      at += 1;
      tokens.push({ type: 'literal', char: next });
    } else if (char === 0x5b) {
      const negated = chars[at] === 0x5e;
      if (negated) at += 1;
      const ranges: [number, number][] = [];
      while (!(chars[at] === 0x5d && ranges.length > 0)) {
        const low = classChar();
        let high = low;
        if (chars[at] === 0x2d) {
          at += 1;
          high = classChar();
        }
        ranges.push([low, high]);
      }
      at += 1;
      tokens.push({ type: 'class', negated, ranges });
    } else {
      tokens.push({ type: 'literal', char });
    }
  }
  return tokens;
}

/** Greedy with one point to come back to (the last star): linear in pattern times name. */
function matchTokens(tokens: Token[], name: number[]): boolean {
  let token = 0;
  let at = 0;
  let starToken = -1;
  let starAt = 0;
  for (;;) {
    const current = tokens[token];
    if (current === undefined && at === name.length) return true;
    if (current?.type === 'star') {
      starToken = token;
      starAt = at;
      token += 1;
      continue;
    }
    const char = name[at];
    if (current !== undefined && char !== undefined && matchesOne(current, char)) {
      token += 1;
      at += 1;
      continue;
    }
    if (starToken < 0 || starAt >= name.length || name[starAt] === slash) return false;
    starAt += 1;
    at = starAt;
    token = starToken + 1;
  }
}

function matchesOne(token: Token, char: number): boolean {
  if (token.type === 'literal') return token.char === char;
  if (token.type === 'any') return char !== slash;
  if (token.type !== 'class') return false;
  return token.negated !== token.ranges.some(([low, high]) => low <= char && char <= high);
}
