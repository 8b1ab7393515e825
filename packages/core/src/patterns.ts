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

/** What a walk carries from a directory to its children: for each pattern, whether it hit the directory. */
export type MatchInfo = readonly boolean[];

interface Pattern {
  text: string;
  exclusion: boolean;
  matches(path: string): boolean;
  /** Components, and undefined from the first one that may match across slashes. */
  components: (((name: string) => boolean) | undefined)[];
}

/** Decides paths against a list of patterns. Paths are relative, clean and use `/`. */
export class PatternMatcher {
  /** Whether any pattern is a `!` one, so that something below an ignored directory may be kept. */
  readonly exclusions: boolean;
  readonly #patterns: Pattern[];

  /** @throws TsbuildError TSB_CONTEXT_BAD_PATTERN naming the pattern */
  constructor(patterns: readonly string[]) {
    this.#patterns = patterns
      .map((text) => trimSpace(text))
      .filter((text) => text !== '')
      .map(compile);
    this.exclusions = this.#patterns.some((pattern) => pattern.exclusion);
  }

  /** Whether the patterns select (for an ignore file: ignore) the path, looking at its parents too. */
  matchesOrParentMatches(path: string): boolean {
    let matched = false;
    for (const pattern of this.#patterns) {
      if (pattern.exclusion === matched && hits(pattern, path)) matched = !pattern.exclusion;
    }
    return matched;
  }

  /**
   * The same for a walk from the top: `parent` is what the call for the parent directory returned as `info`
   * (nothing for entries of the top). Differs from matchesOrParentMatches on purpose, as in BuildKit: a hit
   * on the parent counts for the child even where the pattern would not have been tried.
   */
  matchesUsingParentResults(path: string, parent?: MatchInfo): { matched: boolean; info: MatchInfo } {
    let matched = false;
    const info = this.#patterns.map((pattern, index) => {
      let hit = parent?.[index] ?? false;
      if (!hit) {
        if (pattern.exclusion !== matched) return false;
        hit = parent === undefined ? hits(pattern, path) : pattern.matches(path);
      }
      if (hit) matched = !pattern.exclusion;
      return hit;
    });
    return { matched, info };
  }

  /**
   * Whether a `!` pattern may select something strictly below `directory`. If not, an ignored directory needs
   * no walk. Errs on the side of true.
   */
  mayKeepBelow(directory: string): boolean {
    const names = directory === '' || directory === '.' ? [] : directory.split('/');
    return this.#patterns.some((pattern) => pattern.exclusion && reachesBelow(pattern, names));
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
  return { text: pattern, exclusion, matches: matcherOf(pattern), components: componentsOf(pattern) };
}

function componentsOf(pattern: string): Pattern['components'] {
  const components: Pattern['components'] = [];
  for (const part of pattern.split('/')) {
    // [^a] and \D match a slash, ** any number of them.
    if (/[[\\]|\*\*/.test(part)) return [...components, undefined];
    components.push(matcherOf(part));
  }
  return components;
}

function matcherOf(pattern: string): (path: string) => boolean {
  const { kind, source } = translate(pattern);
  if (kind === 'exact') return (path) => path === pattern;
  if (kind === 'prefix') {
    const prefix = pattern.slice(0, -2);
    return (path) => path.startsWith(prefix);
  }
  if (kind === 'suffix') {
    const suffix = pattern.slice(2);
    return (path) => path.endsWith(suffix) || (suffix.startsWith('/') && path === suffix.slice(1));
  }
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
