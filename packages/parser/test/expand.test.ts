import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expandHeredoc, expandWord, expandWords } from '@tsbuild/parser';

const environment: Record<string, string> = {
  e: '',
  v: 'hello world',
  p: '/usr/local/bin',
  n: 'l1.txt.gz',
  d: '$v',
  m: 'a\nb',
  u: 'ä😀',
  s: 'a*b?c\\d',
};
const lookup = (name: string) => (Object.hasOwn(environment, name) ? environment[name] : undefined);

test('a word is expanded', () => {
  const table: [raw: string, value: string, unset?: string[]][] = [
    ['plain', 'plain'],
    ['$v', 'hello world'],
    ['${v}x', 'hello worldx'],
    ['$vx', '', ['vx']],
    ['$', '$'],
    ['a$/b$', 'a$/b$'],
    ['$1x', 'x', ['1']],
    ['$$v', 'v', ['$']],
    ['$d', '$v'],
    ['"$v"', 'hello world'],
    ["'$v'", '$v'],
    ['\\$v', '$v'],
    ['"\\$v \\" \\\\ \\a"', '$v " \\ \\a'],
    ['a\\bc\\', 'abc'],
    ["a'b\\'c", 'ab\\c'],
    ['""', ''],
    ['${e:-x}${e-x}', 'x'],
    ['${no:-x}${no-y}', 'xy', ['no']],
    ['${v:+x}${e:+x}${e+y}${no+z}', 'xy', ['no']],
    ['${no:-${v:-w}}', 'hello world', ['no']],
    ['${no:-"a }" \'b\'}', 'a } b', ['no']],
    ['${v:?gone}${e?gone}', 'hello world'],
    ['${p#*/}|${p##*/}|${p%/*}|${p%%/*}', 'usr/local/bin|bin|/usr/local|'],
    ['${n#?}|${n%.*}|${n%%.*}', '1.txt.gz|l1.txt|l1'],
    ['${p/\\//-}|${p//\\//-}', '-usr/local/bin|-usr-local-bin'],
    ['${v/o*/0}|${v//o/0}|${v//l/}|${v/x/y}', 'hell0|hell0 w0rld|heo word|hello world'],
    ['${s#a\\*}|${s%\\\\d}', 'b?c\\d|a*b?c'],
    ['${m#*b}|${m//?/x}', 'a\nb|x\nx'],
    ['${u#?}|${u%?}', '😀|ä'],
    ['${v//o/$d}', 'hell$v w$vrld'],
    ['${n//*/x}', 'x'],
    ['$ä', '', ['ä']],
  ];
  for (const [raw, value, unset = []] of table) {
    assert.deepEqual(expandWord(raw, lookup), { value, unset }, raw);
  }
});

test('the escape character is the one of the file', () => {
  assert.equal(expandWord('a`$v\\`\\', lookup, '`').value, 'a$v\\\\'.replace('\\\\', '\\\\'));
  assert.equal(expandWord('"`" `$v ``"', lookup, '`').value, '" $v `');
});

test('only what no quote protects is split', () => {
  const table: [raw: string, words: string[]][] = [
    ['', []],
    ['a  b\tc', ['a', 'b', 'c']],
    ['$v', ['hello', 'world']],
    ['"$v" x', ['hello world', 'x']],
    ['a\\ b', ['a b']],
    ['$e', []],
    ['x$v$v', ['xhello', 'worldhello', 'world']],
  ];
  for (const [raw, words] of table) assert.deepEqual(expandWords(raw, lookup).words, words, raw);
});

test('in heredocs quotes are text', () => {
  assert.deepEqual(expandHeredoc('"$v" \'${no}\' \\$v \\\\ \\x\n\\\n', lookup), {
    value: '"hello world" \'\' $v \\ x\n\n',
    unset: ['no'],
  });
});

test("what cannot be expanded is refused with BuildKit's words", () => {
  const table: [raw: string, message: string][] = [
    ['"a', 'failed to process "\\"a": unexpected end of statement while looking for matching double-quote'],
    ["x'a", 'failed to process "x\'a": unexpected end of statement while looking for matching single-quote'],
    ['${v', 'failed to process "${v": syntax error: missing \'}\''],
    ['${v:-x', 'failed to process "${v:-x": syntax error: missing \'}\''],
    ['${v:-"x}', 'failed to process "${v:-\\"x}": syntax error: missing \'}\''],
    ['${}', 'failed to process "${}": syntax error: bad substitution'],
    ['${:x}', 'failed to process "${:x}": syntax error: bad substitution'],
    ['${{v}', 'failed to process "${{v}": syntax error: bad substitution'],
    ['${v^}', 'failed to process "${v^}": unsupported modifier (^) in substitution'],
    ['${v:^}', 'failed to process "${v:^}": unsupported modifier (:^) in substitution'],
    ['${v:#x}', 'failed to process "${v:#x}": unsupported modifier (:#) in substitution'],
    ['${v/x}', 'failed to process "${v/x}": syntax error: missing \'/\' in ${}'],
    ['${v/x/y', 'failed to process "${v/x/y": syntax error: missing \'}\''],
    [
      '${v#\\a}',
      'failed to process "${v#\\\\a}": invalid pattern (\\a) in substitution: invalid escape \'\\a\'',
    ],
    ['${no:?}', 'failed to process "${no:?}": no: is not allowed to be unset'],
    ['${e:?}', 'failed to process "${e:?}": e: is not allowed to be empty'],
    ['${no?say $v}', 'failed to process "${no?say $v}": no: say hello world'],
  ];
  for (const [raw, message] of table) assert.throws(() => expandWord(raw, lookup), { message }, raw);
});

test('neither nesting nor growth goes out of bounds', () => {
  assert.throws(() => expandWord('${a:-'.repeat(100_000), lookup), { code: 'TSB_PARSE_SUBSTITUTION' });
  const big = 'x'.repeat(1024 * 1024);
  assert.throws(() => expandWord('$big'.repeat(20), () => big), { code: 'TSB_PARSE_TOO_LONG' });
  assert.throws(() => expandWord('${a//x/$a}', () => 'x'.repeat(20_000)), { code: 'TSB_PARSE_TOO_LONG' });
});

test('patterns take no more than linear time in practice', () => {
  const value = 'a'.repeat(60_000);
  const before = process.cpuUsage();
  expandWord(`\${x%${'*a'.repeat(20)}b}`, () => value);
  expandWord(`\${x/${'*a'.repeat(20)}b/}`, () => value);
  expandWord('${x//a/b}', () => value);
  const { user } = process.cpuUsage(before);
  assert.ok(user < 5e6, `${user} µs`);
});
