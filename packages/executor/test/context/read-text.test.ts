/** Text files of a stranger's folder: inside it, regular, and not endless. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readTextInFolder } from '../../src/context/read-text.js';

let folder: string;
let inside: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsbuild-text-'));
  inside = join(folder, 'inside');
  mkdirSync(join(inside, 'sub'), { recursive: true });
  writeFileSync(join(folder, 'secret'), 'outside');
  writeFileSync(join(inside, 'file'), 'text');
  writeFileSync(join(inside, 'sub/file'), 'deep');
  writeFileSync(join(inside, 'empty'), '');
  writeFileSync(join(inside, 'huge'), '');
  truncateSync(join(inside, 'huge'), 16 * 1024 * 1024 + 1);
  execFileSync('mkfifo', [join(inside, 'fifo')]);
  const links = {
    near: 'file',
    rooted: '/sub/file',
    absolute: join(folder, 'secret'),
    climbing: '../secret',
    chain: 'hop/../../secret',
    hop: 'sub',
    magic: '/proc/self/environ',
    loop: 'loop',
  };
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(inside, name));
});
after(() => rmSync(folder, { recursive: true, force: true }));

for (const [path, text] of [
  ['file', 'text'],
  ['sub/file', 'deep'],
  ['sub/../file', 'text'],
  ['../file', 'text'],
  ['near', 'text'],
  ['rooted', 'deep'],
  ['empty', ''],
] as const)
  test(`reads ${path}`, () => assert.equal(readTextInFolder(inside, path, path)?.toString(), text));

for (const path of ['none', 'none/file', 'file/below', 'absolute', 'climbing', 'chain', 'magic', '../secret'])
  test(`finds nothing at ${path}`, () => assert.equal(readTextInFolder(inside, path, path), undefined));

for (const [path, message] of [
  ['fifo', 'cannot read fifo: it is no regular file'],
  ['huge', 'cannot read huge: it is longer than 16 MiB'],
] as const)
  test(`refuses ${path}`, () =>
    assert.throws(() => readTextInFolder(inside, path, path), { code: 'TSB_CONTEXT_TEXT_FILE', message }));

test('says what the system says else', () => {
  assert.throws(() => readTextInFolder(inside, 'loop', 'loop'), { code: 'ELOOP' });
  assert.throws(() => readTextInFolder(inside, 'sub', 'sub'), { code: 'EISDIR' });
});
