import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { makeFolders } from '../../src/rootfs/make-folders.js';

const base = mkdtempSync(join(tmpdir(), 'tsbuild-folders-'));
after(() => rmSync(base, { recursive: true }));

test('all missing folders are made with the mode, those that exist are left', () => {
  makeFolders(join(base, 'a/b/c'), 0o700);
  makeFolders(join(base, 'a/b/c'), 0o711);
  for (const name of ['a', 'a/b', 'a/b/c'])
    assert.equal(statSync(join(base, name)).mode & 0o777, 0o700, name);
});

test('what cannot be made is an error with its code, and ends', () => {
  writeFileSync(join(base, 'file'), '');
  symlinkSync('nowhere', join(base, 'dangling'));
  for (const [path, code] of [
    [join(base, 'file'), 'ENOTDIR'],
    [join(base, 'file/below'), 'ENOTDIR'],
    [join(base, 'dangling'), 'EEXIST'],
    ...(existsSync('/proc/self') ? [['/proc/tsbuild/below', 'ENOENT']] : []),
  ] as [string, string][])
    assert.throws(() => makeFolders(path), { code }, path);
});
