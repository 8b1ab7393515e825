/** The ignore file of a context: https://docs.docker.com/build/concepts/context/#dockerignore-files. */
import { type MatchInfo, PatternMatcher, parseIgnoreFile } from '@tsbuild/core';

export interface IgnoreRules {
  matcher: PatternMatcher;
  /** As written; the n-th belongs to the n-th line in `lines`. */
  patterns: readonly string[];
  /** What to call the file in messages. */
  file: string;
  /** Line numbers, from 1; empty where they are not known. */
  lines: readonly number[];
}

/** Patterns of an ignore file with the lines they stand on. */
export function parseIgnore(text: string): { patterns: string[]; lines: number[] } {
  const patterns: string[] = [];
  const lines: number[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    // Only the file's first line may start with a byte order mark.
    for (const pattern of parseIgnoreFile(index === 0 ? line : `\n${line}`)) {
      patterns.push(pattern);
      lines.push(index + 1);
    }
  }
  return { patterns, lines };
}

/** @throws TsbuildError TSB_CONTEXT_BAD_PATTERN */
export function compileIgnore(source: {
  patterns: readonly string[];
  file: string;
  lines?: readonly number[];
}): IgnoreRules | undefined {
  if (source.patterns.length === 0) return undefined;
  return {
    matcher: new PatternMatcher(source.patterns),
    patterns: source.patterns,
    file: source.file,
    lines: source.lines ?? [],
  };
}

/** State of the patterns for a path, as a walk from the context's root would have found it. */
export function ignoreState(
  rules: IgnoreRules,
  path: string,
): { matched: boolean; info: MatchInfo | undefined } {
  let info: MatchInfo | undefined;
  let matched = false;
  if (path === '') return { matched, info };
  const names = path.split('/');
  for (let depth = 1; depth <= names.length; depth += 1) {
    const result = rules.matcher.matchesUsingParentResults(names.slice(0, depth).join('/'), info);
    matched = result.matched;
    info = result.info;
  }
  return { matched, info };
}

/** Where the rule stands that hides a path: `.dockerignore line 3 (*.log)`; undefined if none does. */
export function hidingRule(rules: IgnoreRules, path: string): string | undefined {
  const at = rules.matcher.selectingPattern(path);
  if (at === undefined) return undefined;
  const line = rules.lines[at];
  return `${rules.file}${line === undefined ? '' : ` line ${line}`} (${rules.patterns[at]})`;
}
