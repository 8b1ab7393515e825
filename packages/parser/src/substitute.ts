/**
 * The patterns of `${name#pattern}`, `%` and `/`: `*` any text, `?` one character, neither crosses a line end.
 * Behaviour of BuildKit's frontend/dockerfile/shell/lex.go, done by simulating the pattern instead of a
 * backtracking expression, so that no pattern takes more than pattern times value steps.
 */
import { fault } from './fault.js';

type Token = { type: 'char'; char: string } | { type: 'any' } | { type: 'star' };

/** Cuts the shortest or longest match off the start or the end. */
export function trimPattern(value: string, pattern: string, side: 'start' | 'end', longest: boolean): string {
  const tokens = parsePattern(pattern);
  const chars = Array.from(value);
  if (side === 'end') {
    tokens.reverse();
    chars.reverse();
  }
  const ends = matchEnds(tokens, chars, 0);
  const end = longest ? ends.at(-1) : ends[0];
  if (end === undefined) return value;
  const rest = chars.slice(end);
  return (side === 'end' ? rest.reverse() : rest).join('');
}

/** Replaces the leftmost longest match, or all of them. */
export function replacePattern(value: string, pattern: string, replacement: string, all: boolean): string {
  const tokens = parsePattern(pattern);
  const chars = Array.from(value);
  const starts = matchStarts(tokens, chars);
  let out = '';
  let at = 0;
  while (at <= chars.length) {
    const start = starts.indexOf(true, at);
    if (start < 0) break;
    const end = matchEnds(tokens, chars, start).at(-1) as number;
    out += chars.slice(at, start).join('') + replacement;
    if (end === start) out += chars[start] ?? '';
    at = Math.max(end, start + 1);
    if (!all) {
      at = end;
      if (end === start) out = chars.slice(0, start).join('') + replacement;
      break;
    }
    // An empty match right after a match is none.
    if (end > start && starts[end] === true && matchEnds(tokens, chars, end).at(-1) === end)
      starts[end] = false;
  }
  return out + chars.slice(at).join('');
}

function parsePattern(pattern: string): Token[] {
  const tokens: Token[] = [];
  const chars = Array.from(pattern);
  for (let at = 0; at < chars.length; at += 1) {
    const char = chars[at] as string;
    if (char === '*') {
      if (tokens.at(-1)?.type !== 'star') tokens.push({ type: 'star' });
    } else if (char === '?') {
      tokens.push({ type: 'any' });
    } else if (char !== '\\') {
      tokens.push({ type: 'char', char });
    } else if (chars[at + 1] !== '}' && chars[at + 1] !== '/') {
      at += 1;
      const next = chars[at];
      if (next !== '*' && next !== '?' && next !== '\\') {
        throw fault(
          'SUBSTITUTION',
          `invalid pattern (${pattern}) in substitution: invalid escape '\\${next ?? ''}'`,
          'Write a backslash in a pattern only before *, ?, \\, / or }.',
        );
      }
      tokens.push({ type: 'char', char: next });
    }
  }
  return tokens;
}

function accepts(token: Token | undefined, char: string): boolean {
  if (token?.type === 'char') return token.char === char;
  return token?.type === 'any' && char !== '\n';
}

/** All ends of matches that begin at `start`, ascending. */
function matchEnds(tokens: Token[], chars: string[], start: number): number[] {
  const ends: number[] = [];
  let states = closure(tokens, [0]);
  for (let at = start; states.length > 0; at += 1) {
    if (states.at(-1) === tokens.length) ends.push(at);
    const char = chars[at];
    if (char === undefined) break;
    const next: number[] = [];
    for (const state of states) {
      const token = tokens[state];
      if (token?.type === 'star' && char !== '\n') next.push(state);
      else if (accepts(token, char)) next.push(state + 1);
    }
    states = closure(tokens, next);
  }
  return ends;
}

/** For each position whether a match begins there: the same simulation, from the end backwards. */
function matchStarts(tokens: Token[], chars: string[]): boolean[] {
  const reversed = [...tokens].reverse();
  const starts: boolean[] = [];
  let states: number[] = [];
  for (let at = chars.length; at >= 0; at -= 1) {
    const char = chars[at];
    const next = [0];
    if (char !== undefined) {
      for (const state of states) {
        const token = reversed[state];
        if (token?.type === 'star' && char !== '\n') next.push(state);
        else if (accepts(token, char)) next.push(state + 1);
      }
    }
    states = closure(reversed, next);
    starts[at] = states.includes(reversed.length);
  }
  return starts;
}

/** Adds what a star reaches by matching nothing; ascending, each once. */
function closure(tokens: Token[], states: number[]): number[] {
  const all = new Set(states);
  for (const state of states) {
    for (let at = state; tokens[at]?.type === 'star'; at += 1) all.add(at + 1);
  }
  return [...all].sort((a, b) => a - b);
}
