import assert from 'node:assert/strict';
import { test } from 'node:test';
import { didYouMean, editDistance, suggest } from '@tsbuild/core';

test('distance counts insertions, deletions and changes', () => {
  const table: [string, string, number][] = [
    ['', '', 0],
    ['', 'abc', 3],
    ['kitten', 'sitting', 3],
    ['COPPY', 'COPY', 1],
    ['ab', 'ba', 2],
  ];
  for (const [a, b, distance] of table) assert.equal(editDistance(a, b), distance, `${a} ${b}`);
});

test('offers the nearest within two edits', () => {
  const table: [word: string, options: string[], near: string | undefined][] = [
    ['COPPY', ['ADD', 'COPY'], 'COPY'],
    ['form', ['chown', 'from', 'link'], 'from'],
    ['build', ['Build'], undefined],
    ['xyz', ['abcdef'], undefined],
    ['Biuld', ['build', 'guild'], 'build'],
  ];
  for (const [word, options, near] of table) assert.equal(suggest(word, options), near, word);
  assert.equal(didYouMean('COPPY', ['COPY']), ' (did you mean COPY?)');
  assert.equal(didYouMean('zzzzzz', ['COPY']), '');
});
