import assert from 'node:assert/strict';
import { test } from 'node:test';
import { frame } from '@tsbuild/core';

const text = 'one\ntwo\r\nthree\nfour\nfive\nsix\n';
const at = (startLine: number, endLine = startLine) =>
  frame({ file: 'Dockerfile', text, range: { startLine, startColumn: 1, endLine, endColumn: 1 } });

test('a single line stands between two lines of context', () => {
  assert.equal(
    at(3),
    [
      'Dockerfile:3',
      '--------------------',
      '   1 |     one',
      '   2 |     two',
      '   3 | >>> three',
      '   4 |     four',
      '   5 |     five',
      '--------------------',
      '',
    ].join('\n'),
  );
});

test('several lines get one line of context', () => {
  assert.equal(
    at(2, 3),
    'Dockerfile:2\n--------------------\n   1 |     one\n   2 | >>> two\n   3 | >>> three\n   4 |     four\n--------------------\n',
  );
});

test('lines outside of the text are clamped', () => {
  assert.match(at(99), /^Dockerfile:7\n-{20}\n {3}5 \|/);
});
