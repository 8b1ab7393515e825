/**
 * Translates the small part of Go's regular expressions that ignore patterns turn into (semantics of RE2,
 * https://github.com/google/re2/wiki/Syntax) to units and to a JavaScript RegExp. Needed because users' own `[..]` and
 * `\c` go into the expression as written and then mean what RE2 says.
 */

/** One unit of an expression. */
export type Re2Unit =
  /** One character, or any number of such. `text` is its JavaScript form. */
  | { type: 'char'; text: string; loop: boolean }
  /** `(.*\/)?`: any number of whole directories. */
  | { type: 'directories' }
  /** Something else without a character of its own, or several. */
  | { type: 'other'; text: string };

/** The units of `^…$`, without the anchors; undefined where Go's compiler would refuse the expression. */
export function parseRe2(source: string): Re2Unit[] | undefined {
  const chars = Array.from(source.slice(1, -1));
  const units: Re2Unit[] = [];
  for (let at = 0; at < chars.length; at += 1) {
    const char = chars[at] as string;
    if (char === '(') {
      units.push({ type: 'directories' });
      at += '(.*/)?'.length - 1;
      continue;
    }
    if (char === '^') {
      units.push({ type: 'other', text: char });
      continue;
    }
    const piece = readPiece(chars, at);
    if (piece === undefined) return undefined;
    at = piece.end;
    if (piece.several) {
      units.push({ type: 'other', text: piece.text });
      continue;
    }
    const loop = chars[at + 1] === '*';
    if (loop) at += 1;
    units.push({ type: 'char', text: piece.text, loop });
  }
  return units;
}

/** The units as one JavaScript expression; undefined where they make none. */
export function toRegExp(units: readonly Re2Unit[]): RegExp | undefined {
  const body = units.map((unit) => {
    if (unit.type === 'directories') return '(?:.*\\/)?';
    return unit.type === 'char' && unit.loop ? `${unit.text}*` : unit.text;
  });
  try {
    return new RegExp(`^${body.join('')}$`, 'u');
  } catch {
    return undefined;
  }
}

function readPiece(chars: string[], at: number): Piece | undefined {
  const char = chars[at] as string;
  if (char === '[') return readClass(chars, at + 1);
  if (char === '\\') return readEscape(chars, at + 1);
  return { text: char === '.' ? char : literal(char), end: at };
}

interface Piece {
  text: string;
  /** Index of the last character read. */
  end: number;
  /** It does not stand for exactly one character. */
  several?: boolean;
}

const controls: Record<string, string> = { a: '\\x07', f: '\\f', n: '\\n', r: '\\r', t: '\\t', v: '\\v' };
/** RE2's \s has no vertical tab and no Unicode, unlike JavaScript's. */
const perlClasses: Record<string, string> = { d: '0-9', w: '0-9A-Za-z_', s: '\\t\\n\\f\\r ' };
const posixClasses: Record<string, string> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\x00-\\x7f',
  blank: '\\t ',
  cntrl: '\\x00-\\x1f\\x7f',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`\\{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
};

function readEscape(chars: string[], at: number): Piece | undefined {
  const char = chars[at];
  if (char === undefined) return undefined;
  if (char === 'Q') {
    let text = '';
    let end = at + 1;
    for (; end < chars.length && !(chars[end] === '\\' && chars[end + 1] === 'E'); end += 1) {
      text += literal(chars[end] as string);
    }
    return { text, end: Math.min(end + 1, chars.length - 1), several: true };
  }
  if (char === 'A') return { text: '^', end: at, several: true };
  if (char === 'z') return { text: '$', end: at, several: true };
  if (char === 'b' || char === 'B') return { text: `\\${char}`, end: at, several: true };
  if (char === 'C') return { text: '[^]', end: at };
  const set = perlClasses[char.toLowerCase()];
  if (set !== undefined) return { text: char < 'a' ? `[^${set}]` : `[${set}]`, end: at };
  if (char === 'p' || char === 'P') {
    const name = chars[at + 1];
    return name === undefined || !/[A-Z]/.test(name)
      ? undefined
      : { text: `\\${char}{${name}}`, end: at + 1 };
  }
  const single = readSingle(chars, at - 1);
  return single && { text: literal(String.fromCodePoint(single.code)), end: single.end };
}

/** One character, escaped or not, outside of classes and inside of them. */
function readSingle(chars: string[], at: number): { code: number; end: number } | undefined {
  const char = chars[at];
  if (char === undefined) return undefined;
  if (char !== '\\') return { code: char.codePointAt(0) as number, end: at };
  const next = chars[at + 1];
  if (next === undefined) return undefined;
  const control = controls[next];
  if (control !== undefined)
    return { code: '\x07\f\n\r\t\v'.charCodeAt('afnrtv'.indexOf(next)), end: at + 1 };
  if (next === 'x') {
    const hex = chars.slice(at + 2, at + 4).join('');
    return /^[0-9A-Fa-f]{2}$/.test(hex) ? { code: Number.parseInt(hex, 16), end: at + 3 } : undefined;
  }
  const octal = /^(?:0[0-7]{0,2}|[1-7][0-7]{1,2})/.exec(chars.slice(at + 1, at + 4).join(''))?.[0];
  if (octal !== undefined) return { code: Number.parseInt(octal, 8), end: at + octal.length };
  // RE2: every escaped ASCII punctuation mark is itself; letters, digits and the rest are errors.
  if (!/^[!-/:-@[-`{-~]$/.test(next)) return undefined;
  return { code: next.charCodeAt(0), end: at + 1 };
}

/** Reads a class from after its `[`. */
function readClass(chars: string[], start: number): Piece | undefined {
  let at = start;
  const negated = chars[at] === '^';
  if (negated) at += 1;
  let text = '';
  for (let first = true; ; first = false) {
    const char = chars[at];
    if (char === undefined) return undefined;
    if (char === ']' && !first) break;
    if (char === '-' && !first && chars[at + 1] !== ']') return undefined;
    if (char === '[' && chars[at + 1] === ':') {
      const name = /^\[:(\^?)([a-z]+):\]/.exec(chars.slice(at, at + 12).join(''));
      const set = name?.[2] === undefined ? undefined : posixClasses[name[2]];
      if (name && set !== undefined && name[1] === '') {
        text += set;
        at += name[0].length;
        continue;
      }
      if (chars.join('').indexOf(':]', at + 2) >= 0) return undefined;
    }
    const perl = char === '\\' ? chars[at + 1] : undefined;
    if (perl !== undefined && perlClasses[perl.toLowerCase()] !== undefined) {
      if (perl === 'S') text += '\\x00-\\x08\\v\\x0e-\\x1f!-\\u{10ffff}';
      else text += `\\${perl}`.replace('\\s', perlClasses['s'] as string);
      at += 2;
      continue;
    }
    const low = readSingle(chars, at);
    if (low === undefined) return undefined;
    at = low.end + 1;
    let high = low.code;
    if (chars[at] === '-' && chars[at + 1] !== undefined && chars[at + 1] !== ']') {
      const end = readSingle(chars, at + 1);
      if (end === undefined || end.code < low.code) return undefined;
      high = end.code;
      at = end.end + 1;
    }
    text += high === low.code ? point(low.code) : `${point(low.code)}-${point(high)}`;
  }
  return { text: `[${negated ? '^' : ''}${text}]`, end: at };
}

function point(code: number): string {
  return `\\u{${code.toString(16)}}`;
}

function literal(char: string): string {
  return /[0-9A-Za-z]/.test(char) ? char : point(char.codePointAt(0) as number);
}
