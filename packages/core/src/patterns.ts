/**
 * Ignore files and their patterns (.dockerignore, --exclude), in behaviour equal to moby's patternmatcher:
 * https://github.com/moby/patternmatcher and its `ignorefile` package.
 */
import { TsbuildError } from './errors.js';
import { checkGoPattern } from './go-match.js';
import { cleanPath, trimSpace } from './go-path.js';
import { compileRe2 } from './re2-match.js';

/** Lines of an ignore file as clean patterns, in order; inverted ones start with `!`. */
export function parseIgnoreFile(text: string): string[] {
  const patterns: string[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const content = index === 0 && line.startsWith('\uFEFF') ? line.slice(1) : line;
    if (content.startsWith('#')) continue;
    let pattern = trimSpace(content);
    if (pattern === '') continue;
    const inverted = pattern.startsWith('!');
    if (inverted) pattern = trimSpace(pattern.slice(1));
    if (pattern !== '') pattern = cleanPath(pattern);
    if (pattern.length > 1 && pattern.startsWith('/')) pattern = pattern.slice(1);
    patterns.push(inverted ? `!${pattern}` : pattern);
  }
  return patterns;
}

/** What a walk carries from a directory to its children: positions of the patterns that hit it, ascending. */
export type MatchInfo = readonly number[];

interface Pattern {
  exclusion: boolean;
  /** The only path it matches; undefined if it may match several. */
  exact?: string;
  matches(path: string): boolean;
  /** Components, and undefined from the first one that may match across slashes. For exclusions alone. */
  components: (((name: string) => boolean) | undefined)[];
}

const nowhere: readonly number[] = [];

/**
 * Decides paths against a list of patterns. Paths are relative, clean and use `/`. Patterns without wildcards cost
 * nothing for the paths they are not about, however many they are.
 */
export class PatternMatcher {
  /** Whether any pattern is a `!` one, so that something below an ignored directory may be kept. */
  readonly exclusions: boolean;
  readonly #patterns: readonly Pattern[];
  /** Positions of the exact patterns, by their path, and of all others. */
  readonly #exact = new Map<string, number[]>();
  readonly #others: number[] = [];
  readonly #kept: readonly Pattern[];
  readonly #lastExclusion: number;

  /** @throws TsbuildError TSB_CONTEXT_BAD_PATTERN naming the pattern */
  constructor(patterns: readonly string[]) {
    this.#patterns = patterns
      .map((text) => trimSpace(text))
      .filter((text) => text !== '')
      .map(compile);
    for (const [at, { exact }] of this.#patterns.entries()) {
      if (exact === undefined) this.#others.push(at);
      else if (!this.#exact.get(exact)?.push(at)) this.#exact.set(exact, [at]);
    }
    this.#kept = this.#patterns.filter((pattern) => pattern.exclusion);
    this.exclusions = this.#kept.length > 0;
    this.#lastExclusion = this.#patterns.findLastIndex((pattern) => pattern.exclusion);
  }

  /** Whether the patterns select (for an ignore file: ignore) the path, looking at its parents too. */
  matchesOrParentMatches(path: string): boolean {
    return this.#decide(path, undefined).decider !== undefined;
  }

  /** Position (blank patterns not counted) of the one that selects the path, undefined if none does. */
  selectingPattern(path: string): number | undefined {
    return this.#decide(path, undefined).decider;
  }

  /**
   * The same for a walk from the top: `parent` is what the call for the parent directory returned as `info`
   * (nothing for entries of the top). Differs from matchesOrParentMatches on purpose, as in BuildKit: a hit
   * on the parent counts for the child even where the pattern would not have been tried.
   */
  matchesUsingParentResults(path: string, parent?: MatchInfo): { matched: boolean; info: MatchInfo } {
    const { decider, info } = this.#decide(path, parent);
    return { matched: decider !== undefined, info };
  }

  /**
   * The patterns in order, but for those that cannot hit. One is tried only if it would change what the ones
   * before it came to.
   */
  #decide(path: string, parent: MatchInfo | undefined): { decider: number | undefined; info: MatchInfo } {
    const exact = this.#exactHits(path, parent === undefined);
    const inherited = parent ?? nowhere;
    const info: number[] = [];
    let decider: number | undefined;
    let [nextExact, nextInherited, nextOther] = [0, 0, 0];
    for (;;) {
      const byExact = exact[nextExact] ?? Number.POSITIVE_INFINITY;
      const byParent = inherited[nextInherited] ?? Number.POSITIVE_INFINITY;
      const byTrial = this.#others[nextOther] ?? Number.POSITIVE_INFINITY;
      const at = Math.min(byExact, byParent, byTrial);
      const pattern = this.#patterns[at];
      if (pattern === undefined) break;
      if (decider !== undefined && at > this.#lastExclusion && nextInherited === inherited.length) break;
      if (at === byExact) nextExact += 1;
      if (at === byParent) nextInherited += 1;
      if (at === byTrial) nextOther += 1;
      if (at !== byParent) {
        if (pattern.exclusion !== (decider !== undefined)) continue;
        if (at !== byExact && !(parent === undefined ? hits(pattern, path) : pattern.matches(path))) continue;
      }
      info.push(at);
      if (pattern.exclusion) decider = undefined;
      else decider ??= at;
    }
    return { decider, info };
  }

  /** Positions of the exact patterns for the path, and for its parents if they are to be looked at; ascending. */
  #exactHits(path: string, withParents: boolean): readonly number[] {
    const own = this.#exact.get(path) ?? nowhere;
    if (!withParents || this.#exact.size === 0 || !path.includes('/')) return own;
    const all = [...own];
    for (let end = path.indexOf('/', 1); end >= 0; end = path.indexOf('/', end + 1)) {
      all.push(...(this.#exact.get(path.slice(0, end)) ?? nowhere));
    }
    return all.sort((a, b) => a - b);
  }

  /**
   * Whether a `!` pattern may select something strictly below `directory`. If not, an ignored directory needs
   * no walk. Errs on the side of true.
   */
  mayKeepBelow(directory: string): boolean {
    if (!this.exclusions) return false;
    const names = directory === '' || directory === '.' ? [] : directory.split('/');
    return this.#kept.some((pattern) => reachesBelow(pattern, names));
  }
}

function hits(pattern: Pattern, path: string): boolean {
  if (pattern.matches(path)) return true;
  for (let end = path.indexOf('/', 1); end >= 0; end = path.indexOf('/', end + 1)) {
    if (pattern.matches(path.slice(0, end))) return true;
  }
  return false;
}

function reachesBelow(pattern: Pattern, names: readonly string[]): boolean {
  for (const [index, name] of names.entries()) {
    if (index >= pattern.components.length) return false;
    const component = pattern.components[index];
    if (component === undefined) return true;
    if (!component(name)) return false;
  }
  return pattern.components.length > names.length;
}

function compile(text: string): Pattern {
  let pattern = cleanPath(text);
  const exclusion = pattern.startsWith('!');
  if (exclusion) {
    if (pattern === '!') {
      throw new TsbuildError('TSB_CONTEXT_BAD_PATTERN', 'illegal exclusion pattern: "!"', {
        hint: 'Write the path to keep after the !, for example !README.md.',
      });
    }
    pattern = pattern.slice(1);
  }
  checkGoPattern(pattern);
  const { matches, exact } = matcherOf(pattern);
  const components = exclusion ? componentsOf(pattern) : [];
  return { exclusion, matches, components, ...(exact ? { exact: pattern } : {}) };
}

function componentsOf(pattern: string): Pattern['components'] {
  const components: Pattern['components'] = [];
  for (const part of pattern.split('/')) {
    // [^a] and \D match a slash, ** any number of them.
    if (/[[\\]|\*\*/.test(part)) return [...components, undefined];
    components.push(matcherOf(part).matches);
  }
  return components;
}

function matcherOf(pattern: string): { matches: Pattern['matches']; exact: boolean } {
  const { kind, source } = translate(pattern);
  if (kind === 'exact') return { matches: (path) => path === pattern, exact: true };
  return { matches: kind === 'regexp' ? expressionOf(pattern, source) : endOf(pattern, kind), exact: false };
}

function endOf(pattern: string, kind: 'prefix' | 'suffix'): Pattern['matches'] {
  if (kind === 'prefix') {
    const prefix = pattern.slice(0, -2);
    return (path) => path.startsWith(prefix);
  }
  const suffix = pattern.slice(2);
  return (path) => path.endsWith(suffix) || (suffix.startsWith('/') && path === suffix.slice(1));
}

function expressionOf(pattern: string, source: string): Pattern['matches'] {
  const expression = compileRe2(source);
  return (path) => {
    if (expression === undefined) {
      throw new TsbuildError(
        'TSB_CONTEXT_BAD_PATTERN',
        `syntax error in pattern: ${JSON.stringify(pattern)}`,
        {
          hint: 'Write a backslash only before the characters *?[]\\ and punctuation.',
        },
      );
    }
    return expression(path);
  };
}

/** Walks the pattern as patternmatcher's compile does: an expression only where a plain comparison won't do. */
function translate(pattern: string): { kind: 'exact' | 'prefix' | 'suffix' | 'regexp'; source: string } {
  const chars = Array.from(pattern);
  let kind: ReturnType<typeof translate>['kind'] = 'exact';
  let source = '^';
  for (let at = 0; at < chars.length; at += 1) {
    const char = chars[at] as string;
    if (char === '*' && chars[at + 1] === '*') {
      const first = at === 0;
      at += chars[at + 2] === '/' ? 2 : 1;
      if (at + 1 < chars.length) {
        if (!source.endsWith('(.*/)?')) source += '(.*/)?';
        kind = 'regexp';
      } else if (kind === 'exact') {
        kind = 'prefix';
      } else {
        source += '.*';
        kind = 'regexp';
      }
      if (first) kind = 'suffix';
    } else if (char === '*' || char === '?') {
      source += char === '*' ? '[^/]*' : '[^/]';
      kind = 'regexp';
    } else if ('.+()|{}$'.includes(char)) {
      source += `\\${char}`;
    } else if (char === '\\') {
      source += char;
      const next = chars[at + 1];
      if (next === undefined) continue;
      source += next;
      at += 1;
      kind = 'regexp';
    } else {
      source += char;
      if (char === '[' || char === ']') kind = 'regexp';
    }
  }
  return { kind, source: `${source}$` };
}
