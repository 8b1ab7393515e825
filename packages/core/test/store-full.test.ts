import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storeFull } from '../src/store-full.js';
import { TsbuildError } from '../src/errors.js';

const failed = (code: string, path?: string) =>
  Object.assign(new Error(code), { code, ...(path ? { path } : {}) });

test('a full disk and a used-up quota name the file and the way out; other errors are left alone', () => {
  const cases: [Error, string | undefined][] = [
    [failed('ENOSPC', '/store/tmp/x'), 'no space left on the disk: cannot write /store/tmp/x'],
    [failed('ENOSPC'), 'no space left on the disk: cannot write /store'],
    [failed('ENOSPC', 'relative'), 'no space left on the disk: cannot write /store'],
    [failed('EDQUOT', '/store/a'), 'the disk quota is used up: cannot write /store/a'],
    [failed('EIO', '/store/a'), undefined],
    [new Error('no code'), undefined],
    [new TsbuildError('TSB_STORE_FULL', 'said already'), undefined],
  ];
  for (const [error, message] of cases) {
    const full = storeFull(error, '/store');
    assert.equal(full?.message, message);
    if (full === undefined) continue;
    assert.equal(full.code, 'TSB_STORE_FULL');
    assert.match(full.hint ?? '', /tsbuild prune.*--root/);
    assert.equal(full.cause, error);
  }
});
