import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goMatch, hasWildcard } from '@tsbuild/core';

test('matches as filepath.Match', () => {
  const table: [pattern: string, name: string, wanted: boolean | 'bad'][] = [
    ['abc', 'abc', true],
    ['*', 'abc', true],
    ['*c', 'abc', true],
    ['a*', 'a', true],
    ['a*', 'ab/c', false],
    ['a*/b', 'abc/b', true],
    ['a*/b', 'a/c/b', false],
    ['a*b*c*d*e*/f', 'axbxcxdxe/f', true],
    ['a*b*c*d*e*/f', 'axbxcxdxexxx/f', true],
    ['a*b*c*d*e*/f', 'axbxcxdxe/xxx/f', false],
    ['a*b*c*d*e*/f', 'axbxcxdxexxx/fff', false],
    ['a*b?c*x', 'abxbbxdbxebxczzx', true],
    ['a*b?c*x', 'abxbbxdbxebxczzy', false],
    ['ab[c]', 'abc', true],
    ['ab[b-d]', 'abc', true],
    ['ab[e-g]', 'abc', false],
    ['ab[^c]', 'abc', false],
    ['ab[^e-g]', 'abc', true],
    ['a\\*b', 'a*b', true],
    ['a\\*b', 'ab', false],
    ['a?b', 'a☺b', true],
    ['a[^a]b', 'a☺b', true],
    ['a???b', 'a☺b', false],
    ['[a-ζ]*', 'α', true],
    ['*[a-ζ]', 'A', false],
    ['a?b', 'a/b', false],
    ['a*b', 'a/b', false],
    ['[\\]a]', ']', true],
    ['[\\-x]', '-', true],
    ['[x\\-]', 'x', true],
    ['[x\\-]', 'z', false],
    ['[]a]', ']', 'bad'],
    ['[-]', '-', 'bad'],
    ['[x-]', 'x', 'bad'],
    ['[-x]', 'x', 'bad'],
    ['\\', 'a', 'bad'],
    ['[a-b-c]', 'a', 'bad'],
    ['[', 'a', 'bad'],
    ['[^', 'a', 'bad'],
    ['[^bc', 'a', 'bad'],
    ['a[', 'a', 'bad'],
    ['a[', 'ab', 'bad'],
    ['a[', 'x', 'bad'],
    ['a/b[', 'x', 'bad'],
    ['*x', 'xxx', true],
    ['', '', true],
    ['', 'a', false],
  ];
  for (const [pattern, name, wanted] of table) {
    const label = `${pattern} ${name}`;
    if (wanted === 'bad')
      assert.throws(() => goMatch(pattern, name), { code: 'TSB_CONTEXT_BAD_PATTERN' }, label);
    else assert.equal(goMatch(pattern, name), wanted, label);
  }
});

test('many stars take linear time', () => {
  assert.equal(goMatch(`${'a*'.repeat(200)}b`, 'a'.repeat(4000)), false);
});

test('hasWildcard looks past escapes', () => {
  assert.deepEqual(['a', 'a\\*', 'a*', '?', 'x[1]', '\\[', 'a\\'].map(hasWildcard), [
    false,
    false,
    true,
    true,
    true,
    false,
    false,
  ]);
});
