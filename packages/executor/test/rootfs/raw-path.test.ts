/** Paths whose characters are bytes: cut, joined and cleaned without a loss. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  baseOf,
  bytesOf,
  cleanInRoot,
  joinRaw,
  parentOf,
  type RawPath,
  rawPath,
  textOf,
} from '../../src/rootfs/raw-path.js';

const raw = (text: string) => text as RawPath;

test('every byte comes back', () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
  assert.deepEqual(bytesOf(rawPath(bytes)), bytes);
  assert.equal(rawPath(bytes).length, 256);
});

test('text goes in and out as UTF-8', () => {
  assert.equal(rawPath('ü'), '\xc3\xbc');
  assert.equal(textOf(rawPath('a/ü/😀')), 'a/ü/😀');
  assert.equal(textOf(rawPath(Buffer.from([0x61, 0xff]))), 'a\ufffd');
});

const cleaned: [from: string, to: string][] = [
  ['', ''],
  ['/', ''],
  ['.', ''],
  ['..', ''],
  ['a', 'a'],
  ['/a/b/', 'a/b'],
  ['a//b', 'a/b'],
  ['./a/./b/.', 'a/b'],
  ['a/../b', 'b'],
  ['../../a', 'a'],
  ['a/b/../../..', ''],
  ['a/..b/.c', 'a/..b/.c'],
  ['a/...', 'a/...'],
  ['\xff/../\xfe', '\xfe'],
];
for (const [from, to] of cleaned) {
  test(`${JSON.stringify(from)} is cleaned to ${JSON.stringify(to)}`, () =>
    assert.equal(cleanInRoot(raw(from)), to));
}

const split: [path: string, parent: string, base: string][] = [
  ['', '', ''],
  ['a', '', 'a'],
  ['a/b', 'a', 'b'],
  ['a/b/c', 'a/b', 'c'],
  ['/a', '', 'a'],
  ['a/', 'a', ''],
];
for (const [path, parent, base] of split) {
  test(`${JSON.stringify(path)} is ${JSON.stringify(base)} in ${JSON.stringify(parent)}`, () => {
    assert.deepEqual([parentOf(raw(path)), baseOf(raw(path))], [parent, base]);
    if (!path.startsWith('/') && !path.endsWith('/')) assert.equal(joinRaw(raw(parent), raw(base)), path);
  });
}
