import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type MatchInfo, PatternMatcher, parseIgnoreFile, TsbuildError } from '@tsbuild/core';

interface OracleCase {
  ignore: string;
  results: Record<string, 'true' | 'false' | 'ERR'>;
}

const oracle = JSON.parse(
  readFileSync(new URL('../../test/fixtures/dockerignore-oracle.json', import.meta.url), 'utf8'),
) as OracleCase[];

function decide(ignore: string, path: string): string {
  try {
    return String(new PatternMatcher(parseIgnoreFile(ignore)).matchesOrParentMatches(path));
  } catch (error) {
    assert.ok(TsbuildError.is(error), String(error));
    return 'ERR';
  }
}

test("every one of 3,672 answers equals moby's own matcher", () => {
  const wrong: string[] = [];
  let asked = 0;
  for (const { ignore, results } of oracle) {
    for (const [path, wanted] of Object.entries(results)) {
      asked += 1;
      const got = decide(ignore, path);
      if (got !== wanted) wrong.push(`${JSON.stringify(ignore)} ${path}: got ${got}, moby says ${wanted}`);
    }
  }
  assert.deepEqual(wrong, []);
  assert.equal(asked, 3672);
});

test('an ignore file is read line by line', () => {
  const table: [text: string, patterns: string[]][] = [
    ['', []],
    ['\uFEFFa\n\uFEFFb\n', ['a', '\uFEFFb']],
    ['# comment\n #not\n\n  x/  \r\n', ['#not', 'x']],
    ['! a/../b\n!', ['!b', '!']],
    ['/\n/a\n//a//b/./\n.', ['/', 'a', 'a/b', '.']],
    ['../x\n!/y', ['../x', '!y']],
  ];
  for (const [text, patterns] of table)
    assert.deepEqual(parseIgnoreFile(text), patterns, JSON.stringify(text));
});

test('a walk carries the hits of a parent to its children', () => {
  const matcher = new PatternMatcher(['*', '!a', 'a/b']);
  const a = matcher.matchesUsingParentResults('a');
  assert.equal(a.matched, false);
  const ab = matcher.matchesUsingParentResults('a/b', a.info);
  assert.equal(ab.matched, true);
  assert.equal(matcher.matchesUsingParentResults('a/f', a.info).matched, false);
  assert.equal(matcher.matchesUsingParentResults('a/b/c', ab.info).matched, true);
  assert.equal(matcher.matchesUsingParentResults('a/b/c').matched, true);
});

test('a walk decides as moby does for every path of the oracle without inverted patterns', () => {
  for (const { ignore, results } of oracle) {
    if (ignore.includes('!') || Object.values(results).includes('ERR')) continue;
    const matcher = new PatternMatcher(parseIgnoreFile(ignore));
    for (const [path, wanted] of Object.entries(results)) {
      let info: MatchInfo | undefined;
      let matched = false;
      const names = path.split('/');
      for (let depth = 1; depth <= names.length; depth += 1) {
        ({ matched, info } = matcher.matchesUsingParentResults(names.slice(0, depth).join('/'), info));
      }
      assert.equal(String(matched), wanted, `${JSON.stringify(ignore)} ${path}`);
    }
  }
});

test('mayKeepBelow tells whether an ignored directory has to be walked', () => {
  const table: [patterns: string[], directory: string, reachable: boolean][] = [
    [['*'], 'a', false],
    [['*', '!a'], 'a', false],
    [['*', '!a/b'], 'a', true],
    [['*', '!a/b'], 'b', false],
    [['*', '!a/b'], 'a/b', false],
    [['*', '!a/b'], '', true],
    [['*', '!*/b'], 'x', true],
    [['*', '!*/b'], 'x/y', false],
    [['*', '!a/**/z'], 'a/b/c', true],
    [['*', '!a/**/z'], 'b', false],
    [['*', '!**/*.md'], 'x/y/z', true],
    [['*', '![ab]/x'], 'c', true],
    [['node_modules', '!x?/y'], 'xa', true],
    [['node_modules', '!x?/y'], 'xab', false],
  ];
  for (const [patterns, directory, reachable] of table) {
    assert.equal(new PatternMatcher(patterns).mayKeepBelow(directory), reachable, `${patterns} ${directory}`);
  }
});

test("user classes and escapes mean what Go's regular expressions say", () => {
  const table: [pattern: string, path: string, matched: boolean][] = [
    ['[[:digit:]]x', '5x', true],
    ['[[:digit:]]x', 'dx', false],
    ['\\d', '7', true],
    ['[a^]b', '^b', true],
    ['x[^a]y', 'x/y', true],
    ['[\\d]', 'd', false],
    ['[*]', '^]', true],
    ['a\\*', 'a*', true],
    ['a\\*', 'ab', false],
    ['é?', 'é\u{1f600}', true],
  ];
  for (const [pattern, path, matched] of table) {
    assert.equal(new PatternMatcher([pattern]).matchesOrParentMatches(path), matched, `${pattern} ${path}`);
  }
});

test('a bad pattern is refused with its text', () => {
  assert.throws(() => new PatternMatcher(['ok', 'a[']), {
    code: 'TSB_CONTEXT_BAD_PATTERN',
    message: /"a\["/,
  });
  assert.throws(() => new PatternMatcher(['!']), { message: 'illegal exclusion pattern: "!"' });
});

test('many stars decide as one would by hand, and at once', () => {
  const table: [pattern: string, path: string, matched: boolean][] = [
    ['*a*b*c', 'xaybzc', true],
    ['*a*b*c', 'xaybzcd', false],
    ['*a*b*c', 'xa/ybzc', false],
    ['**/a/**/b/*', 'a/b/c', true],
    ['**/a/**/b/*', 'x/y/a/z/b/c', true],
    ['**/a/**/b/*', 'x/ya/z/b/c', false],
    ['**/*.spec.*', 'src/x/a.spec.ts', true],
    ['**/*.spec.*', 'src/x/a.specs', false],
    ['a**b*c**', 'ax/y/bqc', true],
    ['a**b*c**', 'ax/y/bq/c', false],
    ['[ab]*[cd]*[!x]*', 'a1c2!', true],
    ['*é*😀*?', 'xéy😀zw', true],
  ];
  for (const [pattern, path, matched] of table) {
    assert.equal(new PatternMatcher([pattern]).matchesOrParentMatches(path), matched, `${pattern} ${path}`);
  }
  const before = process.cpuUsage();
  assert.equal(new PatternMatcher([`${'*a'.repeat(30)}*b`]).matchesOrParentMatches('a'.repeat(255)), false);
  assert.equal(
    new PatternMatcher([`${'**/a/'.repeat(10)}b`]).matchesOrParentMatches('a/'.repeat(2000) + 'c'),
    false,
  );
  // Processor time: what else the machine does is no part of it.
  const { user } = process.cpuUsage(before);
  assert.ok(user < 5e6, `${user} µs`);
});

test('an ignore file of 20,000 patterns is read and asked in linear time', () => {
  const lines = Array.from({ length: 20_000 }, (_, index) => `dir/${index % 100}/file${index}`);
  const before = process.cpuUsage();
  const matcher = new PatternMatcher(
    parseIgnoreFile(['*.log', ...lines, '!dir/7/file7', '**/tmp'].join('\n')),
  );
  let ignored = 0;
  for (let index = 0; index < 20_000; index += 1) {
    const top = matcher.matchesUsingParentResults('dir');
    const folder = matcher.matchesUsingParentResults(`dir/${index % 100}`, top.info);
    const path = `dir/${index % 100}/file${index}`;
    const { matched } = matcher.matchesUsingParentResults(path, folder.info);
    assert.equal(matcher.matchesOrParentMatches(path), matched);
    assert.equal(matcher.selectingPattern(path), matched ? index + 1 : undefined);
    if (matched) ignored += 1;
  }
  assert.equal(ignored, 19_999);
  const { user } = process.cpuUsage(before);
  assert.ok(user < 5e6, `${user} µs`);
});

test('the oracle agrees with the automaton too', async () => {
  const { parseRe2, toRegExp } = await import('../src/re2.js');
  const { compileRe2 } = await import('../src/re2-match.js');
  const paths = Object.keys(oracle[0]?.results ?? {});
  for (const source of [
    '^[^/]*a[^/]*[^/]*$',
    '^(.*/)?foo(.*/)?[^/]*.*$',
    '^[^/]*o[^/]*\\.[^/]*$',
    '^(.*/)?[^/]*[a-c](.*/)?.*$',
  ]) {
    const match = compileRe2(source);
    const expression = toRegExp(parseRe2(source) ?? []);
    for (const path of paths) assert.equal(match?.(path), expression?.test(path), `${source} ${path}`);
  }
});
