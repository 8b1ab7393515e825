/** Where paths lead inside a root, whatever links say; and folders made there. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { TsbuildError } from '@tsbuild/core';
import * as native from '@tsbuild/native';
import { mkdirAll } from '../../src/rootfs/mkdir-all.js';
import { openDirectory, openInRoot, statExact, withFd } from '../../src/rootfs/open.js';
import { type RawPath, rawPath } from '../../src/rootfs/raw-path.js';
import { resolveInRoot } from '../../src/rootfs/resolve.js';

const { O_PATH, O_DIRECTORY, S_IFDIR, S_IFLNK, S_IFMT } = native.constants;
const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const raw = (text: string) => text as RawPath;
const hasCode = (code: string) => (error: unknown) => TsbuildError.is(error) && error.code === code;

let outside: string;
let root: native.Fd;
before(() => {
  outside = mkdtempSync(join(tmpdir(), 'tsbuild-resolve-'));
  const top = join(outside, 'root');
  mkdirSync(join(top, 'a/b'), { recursive: true });
  writeFileSync(join(top, 'a/file'), 'x');
  const links: [name: string, target: string][] = [
    ['to-a', 'a'],
    ['to-b', '/a/b'],
    ['a/b/up', '../..'],
    ['out', '../../../../outside'],
    ['abs-out', '/../../outside'],
    ['nowhere', 'not/there'],
    ['chain', 'to-a/b'],
    ['loop', 'loop'],
    ['ping', 'pong'],
    ['pong', 'ping'],
    ['dot', '.'],
    ['slashes', '//a///b//'],
  ];
  for (const [name, target] of links) symlinkSync(target, join(top, name));
  symlinkSync(Buffer.from([0xff]), Buffer.concat([Buffer.from(`${top}/`), Buffer.from([0xfe])]));
  root = native.openat2(native.AT_FDCWD, top, O_PATH | O_DIRECTORY, 0, 0);
});
after(async () => {
  native.close(root);
  await native.removeTree(native.AT_FDCWD, outside);
});

const resolved: [path: string, exact: string][] = [
  ['', ''],
  ['/', ''],
  ['a/b', 'a/b'],
  ['/a//./b/', 'a/b'],
  ['to-a/b', 'a/b'],
  ['to-b', 'a/b'],
  ['to-b/new/file', 'a/b/new/file'],
  ['a/b/up/a', 'a'],
  ['to-b/../file', 'file'],
  ['to-b/../a', 'a'],
  ['chain', 'a/b'],
  ['dot/dot/a', 'a'],
  ['slashes', 'a/b'],
  ['out/x', 'outside/x'],
  ['abs-out/x', 'outside/x'],
  ['nowhere/x', 'not/there/x'],
  ['../../a', 'a'],
  ['missing/../a', 'a'],
  ['a/file/x', 'a/file/x'],
  ['\xfe/x', '\xff/x'],
];
for (const [path, exact] of resolved) {
  test(`${JSON.stringify(path)} leads to ${JSON.stringify(exact)}`, () =>
    assert.equal(resolveInRoot(root, raw(path)), exact));
}

test('a last link is kept when asked to', () => {
  assert.equal(resolveInRoot(root, raw('to-b'), { followLast: false }), 'to-b');
  assert.equal(resolveInRoot(root, raw('to-a/b/up'), { followLast: false }), 'a/b/up');
});

test('links that are followed are told, in order, by their exact paths', () => {
  const seen: string[] = [];
  resolveInRoot(root, raw('chain/up/to-b'), { onLink: (path) => void seen.push(path) });
  assert.deepEqual(seen, ['chain', 'to-a', 'a/b/up', 'to-b']);
});

test('going above the root can be refused, but not for absolute links', () => {
  const onEscape = () => {
    throw new RangeError('above');
  };
  assert.throws(() => resolveInRoot(root, raw('out/x'), { onEscape }), RangeError);
  assert.equal(resolveInRoot(root, raw('abs-out/x'), { onEscape }), 'outside/x');
});

for (const path of ['loop', 'ping/x', 'to-a/../loop']) {
  test(`${path} is a loop`, () => {
    assert.throws(() => resolveInRoot(root, raw(path)), hasCode('TSB_CONTEXT_LINK_LOOP'));
  });
}

test('links stay inside when they are followed by opening', () => {
  const open = (path: string) =>
    withFd(openInRoot(root, raw(path), O_PATH), (fd) => native.stat(fd, '').mode & S_IFMT);
  assert.equal(open('a/b/up/to-b'), S_IFDIR);
  assert.throws(() => open('out'), { code: 'ENOENT' });
  assert.throws(() => open('loop'), { code: 'ELOOP' });
});

test('statExact follows nothing', () => {
  assert.equal((statExact(root, raw('to-a'))?.mode ?? 0) & S_IFMT, S_IFLNK);
  assert.equal(statExact(root, raw('missing/x')), undefined);
  assert.equal(statExact(root, raw('a/file/x')), undefined);
  assert.throws(() => statExact(root, raw('to-a/b')), { code: 'ELOOP' });
});

test('directories are made with their parents, with exact modes and times', () => {
  const made = mkdirAll(root, raw('new/ü/deep'), { mode: 0o1777, ...owner, mtimeNs: -1n });
  assert.deepEqual(made, ['new', 'new/ü', 'new/ü/deep']);
  for (const path of made) {
    const stat = statExact(root, path);
    assert.deepEqual([(stat?.mode ?? 0) & 0o7777, stat?.mtimeNs], [0o1777, -1n], path);
  }
  assert.deepEqual(mkdirAll(root, raw('new/ü/deep'), { mode: 0o700, ...owner }), []);
  assert.equal((statExact(root, raw('new'))?.mode ?? 0) & 0o7777, 0o1777);
  assert.deepEqual(mkdirAll(root, raw('new/more'), { mode: 0o750, ...owner }), ['new/more']);
});

test('a file in the way of a directory is said by its path', () => {
  for (const path of ['a/file', 'a/file/x', 'to-a']) {
    assert.throws(
      () => mkdirAll(root, raw(path), { mode: 0o755, ...owner }),
      (error) =>
        hasCode('TSB_EXEC_NOT_A_DIRECTORY')(error) &&
        /^mkdir \/(a\/file|to-a): not a directory$/.test((error as Error).message),
    );
  }
});

test('no descriptor stays open, whatever fails', async () => {
  const open = () => readdirSync('/proc/self/fd').length;
  const earlier = open();
  assert.throws(() => withFd(openDirectory(root, raw('a')), () => assert.fail('used')), /used/);
  await assert.rejects(
    withFd(openDirectory(root, raw('a')), () => Promise.reject(new Error('later'))),
    /later/,
  );
  assert.throws(() => resolveInRoot(root, raw('loop')));
  assert.throws(() => mkdirAll(root, raw('a/file/x'), { mode: 0o755, ...owner }));
  assert.equal(await withFd(openDirectory(root, rawPath('a')), async (fd) => native.readdir(fd).length), 2);
  assert.equal(open(), earlier);
});
