import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import * as native from '@tsbuild/native';

const C = native.constants;
const isRoot = process.getuid() === 0;
const asRoot = isRoot ? {} : { skip: 'needs root' };
let dir;
let root;

before(() => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tsbuild-addon-'));
  root = native.openat2(native.AT_FDCWD, dir, C.O_RDONLY | C.O_DIRECTORY, 0, 0);
});

after(async () => {
  native.close(root);
  await native.removeTree(native.AT_FDCWD, dir);
  assert.equal(fs.existsSync(dir), false);
});

const here = (name) => path.join(dir, name);
const fails = (code, work) =>
  assert.throws(work, (error) => error.code === code && error.errno < 0 && error.syscall !== '');

function folder(name) {
  fs.mkdirSync(here(name));
  return native.openat2(root, name, C.O_RDONLY | C.O_DIRECTORY, 0, 0);
}

test('an error says code, errno, call and path', () => {
  assert.throws(() => native.openat2(root, 'missing', C.O_RDONLY, 0, 0), {
    code: 'ENOENT',
    errno: -2,
    syscall: 'openat2',
    path: 'missing',
    message: "ENOENT: No such file or directory, openat2 'missing'",
  });
});

test('openat2 keeps links inside the root', () => {
  const fd = folder('jail');
  fs.mkdirSync(here('jail/etc'));
  fs.writeFileSync(here('jail/etc/x'), 'inside');
  fs.symlinkSync('/etc', here('jail/abs'));
  fs.symlinkSync('../../../../etc', here('jail/up'));
  for (const link of ['abs/x', 'up/x', '../../etc/x', '/etc/x']) {
    const file = native.openat2(fd, link, C.O_RDONLY, 0, C.RESOLVE_IN_ROOT);
    assert.equal(fs.readFileSync(file, 'utf8'), 'inside');
    native.close(file);
    assert.equal(native.stat(fd, link).size, 6);
  }
  fails('ELOOP', () => native.openat2(fd, 'abs/x', C.O_RDONLY, 0, C.RESOLVE_NO_SYMLINKS));
  fails('ENOENT', () => native.stat(fd, 'abs/passwd'));
  assert.equal(native.statOrUndefined(fd, 'abs/passwd', true), undefined);
  native.close(fd);
});

test('a name with a slash or .. is refused below a descriptor', () => {
  fails('EINVAL', () => native.mkdirat(root, 'a/b', 0o755));
  fails('EINVAL', () => native.unlinkat(root, '..', C.AT_REMOVEDIR));
  fails('EINVAL', () => native.chmodat(root, '../x', 0o777));
  native.mkdirat(native.AT_FDCWD, here('absolute'), 0o755);
  native.unlinkat(native.AT_FDCWD, here('absolute'), C.AT_REMOVEDIR);
});

test('arguments of a wrong type are refused', () => {
  assert.throws(() => native.openat2('x', 'y', 0, 0, 0), TypeError);
  assert.throws(() => native.mkdirat(root, 5, 0), TypeError);
  assert.throws(() => native.mkdirat(root, 'a\0b', 0), TypeError);
  fails('ENAMETOOLONG', () => native.mkdirat(root, 'x'.repeat(5000), 0));
});

test('names are bytes, listed in byte order', () => {
  const fd = folder('bytes');
  const names = [Buffer.from([0xff, 0xfe]), Buffer.from('a'), Buffer.from('ä'), Buffer.from('B')];
  for (const name of names) native.mkdirat(fd, name, 0o700);
  native.mknodat(fd, 'fifo', C.S_IFIFO | 0o600, 0, 0);
  assert.deepEqual(
    native.readdir(fd).map(({ name, type }) => [name.toString('latin1'), type]),
    [
      ['B', C.S_IFDIR],
      ['a', C.S_IFDIR],
      ['fifo', C.S_IFIFO],
      [Buffer.from('ä').toString('latin1'), C.S_IFDIR],
      ['\xff\xfe', C.S_IFDIR],
    ],
  );
  native.close(fd);
});

test('trees may be deeper than PATH_MAX', async () => {
  const top = folder('by-pieces');
  const part = 'd'.repeat(200);
  const parts = Array.from({ length: 50 }, () => part);
  let at = top;
  for (const name of parts) {
    native.mkdirat(at, name, 0o755);
    const next = native.openat2(at, name, C.O_PATH, 0, 0);
    if (at !== top) native.close(at);
    at = next;
  }
  const file = native.openat2(at, 'file', C.O_WRONLY | C.O_CREAT, 0o644, 0);
  fs.writeSync(file, 'deep');
  native.close(file);
  native.symlinkat('file', at, 'link');
  native.symlinkat(part, top, 'up');
  native.close(at);
  const path = parts.join('/');
  assert.equal(path.length, 10_049);
  const exact = C.RESOLVE_IN_ROOT | C.RESOLVE_NO_SYMLINKS;
  const open = native.openat2(top, `${path}/file`, C.O_RDONLY, 0, exact);
  assert.equal(fs.readFileSync(open, 'utf8'), 'deep');
  native.close(open);
  // What follows links or goes up could leave one of the pieces that such a path is opened by.
  fails('ENAMETOOLONG', () => native.openat2(top, `${path}/file`, C.O_RDONLY, 0, C.RESOLVE_IN_ROOT));
  fails('ENAMETOOLONG', () => native.openat2(top, `${path}/../${part}/file`, C.O_RDONLY, 0, exact));
  fails('ELOOP', () => native.openat2(top, `up/${path}/file`, C.O_RDONLY, 0, exact));
  fails('ELOOP', () => native.openat2(top, `${path}/link`, C.O_RDONLY, 0, exact));
  fails('ENOTDIR', () => native.openat2(top, `${path}/file/${path}`, C.O_RDONLY, 0, exact));
  fails('ENAMETOOLONG', () => native.openat2(top, 'x'.repeat(5000), C.O_RDONLY, 0, exact));
  fails('ENAMETOOLONG', () => native.openat2(top, `${path}/`.repeat(7), C.O_RDONLY, 0, exact));
  assert.deepEqual(
    (await native.hashFiles(top, [`${path}/file`])).toString('hex'),
    createHash('sha256').update('deep').digest('hex'),
  );
  const target = folder('by-pieces-copy');
  for (const { path: made, mode } of await native.walk(top, '', { xattrs: false })) {
    if ((mode & C.S_IFMT) !== C.S_IFDIR) continue;
    const text = made.toString();
    const parent = path.slice(0, Math.max(0, text.length - part.length - 1));
    const fd = native.openat2(target, parent || '.', C.O_PATH, 0, exact);
    native.mkdirat(fd, part, 0o755);
    native.close(fd);
  }
  const items = ['file', 'link'].map((name) => ({
    source: `${path}/${name}`,
    destination: `${path}/${name}`,
  }));
  await native.copyFiles(top, target, items, { xattrs: true });
  const listed = (await native.walk(target, '', { xattrs: false })).map((entry) => entry.path.length);
  assert.deepEqual(listed.slice(-3), [10_049, 10_054, 10_054]);
  native.close(top);
  native.close(target);
});

test('names of attributes are bytes', { ...asRoot }, async () => {
  const fd = folder('attribute-names');
  fs.writeFileSync(here('attribute-names/f'), '');
  const names = ['user.a', 'user.b=c', 'user.\xff\n', 'user.\xc3\xa4'];
  for (const name of names) native.setXattr(fd, 'f', name, Buffer.from([0, 255]));
  const listed = names.toSorted().map((name) => ({ name, value: Buffer.from([0, 255]) }));
  assert.deepEqual(native.listXattrs(fd, 'f'), listed);
  await native.copyFiles(fd, fd, [{ source: 'f', destination: 'g' }], { xattrs: true });
  assert.deepEqual(native.listXattrs(fd, 'g'), listed);
  native.removeXattr(fd, 'g', 'user.\xff\n');
  assert.equal(native.listXattrs(fd, 'g').length, 3);
  fails('ERANGE', () => native.setXattr(fd, 'f', `user.${'x'.repeat(251)}`, Buffer.alloc(0)));
  fails('ERANGE', () => native.setXattr(fd, 'f', 'user.a\0b', Buffer.alloc(0)));
  native.close(fd);
});

test('stat gives nanoseconds, also before 1970', () => {
  fs.writeFileSync(here('old'), 'x');
  native.chmodat(root, 'old', 0o4751);
  native.utimesat(root, 'old', -1n, -1_500_000_001n);
  const stat = native.stat(root, 'old');
  assert.equal(stat.mode, C.S_IFREG | 0o4751);
  assert.equal(stat.atimeNs, -1n);
  assert.equal(stat.mtimeNs, -1_500_000_001n);
  assert.equal(stat.size, 1);
  assert.equal(stat.ino, fs.statSync(here('old'), { bigint: true }).ino);
});

test('links are changed themselves, never their targets', () => {
  fs.writeFileSync(here('target'), '');
  fs.chmodSync(here('target'), 0o640);
  native.symlinkat('target', root, 'link');
  native.chmodat(root, 'link', 0o777);
  native.utimesat(root, 'link', 1n, 2n);
  assert.equal(native.stat(root, 'target').mode & 0o7777, 0o640);
  assert.equal(native.stat(root, 'link').mtimeNs, 2n);
  assert.notEqual(native.stat(root, 'target').mtimeNs, 2n);
  assert.equal(native.readlinkat(root, 'link').toString(), 'target');
  const fd = native.openat2(root, 'link', C.O_PATH | C.O_NOFOLLOW, 0, 0);
  assert.equal(native.readlinkat(fd, '').toString(), 'target');
  native.utimesat(fd, '', 3n, 4n);
  assert.equal(native.stat(fd, '').mtimeNs, 4n);
  native.close(fd);
});

test('an open file can be linked again, and names exchanged', () => {
  fs.writeFileSync(here('one'), 'one');
  fs.writeFileSync(here('two'), 'two');
  const fd = native.openat2(root, 'one', C.O_PATH | C.O_NOFOLLOW, 0, 0);
  native.linkat(fd, '', root, 'again');
  native.close(fd);
  assert.equal(native.stat(root, 'one').nlink, 2);
  native.renameat2(root, 'one', root, 'two', C.RENAME_EXCHANGE);
  assert.equal(fs.readFileSync(here('one'), 'utf8'), 'two');
  fails('EEXIST', () => native.renameat2(root, 'one', root, 'two', C.RENAME_NOREPLACE));
});

test('attributes come back sorted, as bytes, also of links', asRoot, () => {
  fs.writeFileSync(here('attributes'), '');
  fs.symlinkSync('x', here('attribute-link'));
  const value = Buffer.from([0, 1, 255]);
  native.setXattr(root, 'attributes', 'user.b', value);
  native.setXattr(root, 'attributes', 'trusted.a', Buffer.alloc(0));
  native.setXattr(root, 'attribute-link', 'trusted.l', value);
  assert.deepEqual(native.listXattrs(root, 'attributes'), [
    { name: 'trusted.a', value: Buffer.alloc(0) },
    { name: 'user.b', value },
  ]);
  const fd = native.openat2(root, 'attribute-link', C.O_PATH | C.O_NOFOLLOW, 0, 0);
  assert.deepEqual(native.listXattrs(fd, ''), [{ name: 'trusted.l', value }]);
  native.close(fd);
  native.removeXattr(root, 'attributes', 'user.b');
  fails('ENODATA', () => native.removeXattr(root, 'attributes', 'user.b'));
  assert.equal(native.listXattrs(root, 'attributes').length, 1);
});

test('a lock is seen by another descriptor and ends with its own', () => {
  const open = () => native.openat2(root, 'lock', C.O_RDWR | C.O_CREAT, 0o600, 0);
  const [a, b] = [open(), open()];
  assert.equal(native.tryFlock(a, C.LOCK_EX), true);
  assert.equal(native.tryFlock(b, C.LOCK_SH), false);
  native.close(a);
  assert.equal(native.tryFlock(b, C.LOCK_SH), true);
  native.close(b);
});

test('descriptors are not inherited', () => {
  const flags = fs.readFileSync(`/proc/self/fdinfo/${root}`, 'utf8').match(/flags:\s*(\d+)/)[1];
  assert.equal(parseInt(flags, 8) & 0o2000000, 0o2000000);
});

test('hashFiles gives sha256 for every length around the block size', async () => {
  const fd = folder('hash');
  const sizes = [
    0,
    1,
    55,
    56,
    57,
    63,
    64,
    65,
    119,
    120,
    127,
    128,
    129,
    1000,
    262143,
    262144,
    262145,
    1 << 20,
  ];
  const expected = [];
  for (const size of sizes) {
    const data = randomBytes(size);
    fs.writeFileSync(here(`hash/${size}`), data);
    expected.push(createHash('sha256').update(data).digest());
  }
  assert.deepEqual(await native.hashFiles(fd, sizes.map(String)), Buffer.concat(expected));
  assert.deepEqual(await native.hashFiles(fd, []), Buffer.alloc(0));
  const headed = ['', 'a\0b'].map((header) => createHash('sha256').update(header).update(Buffer.alloc(0)));
  assert.deepEqual(
    await native.hashFiles(fd, ['0', '0'], undefined, [Buffer.alloc(0), Buffer.from('a\0b')]),
    Buffer.concat(headed.map((hash) => hash.digest())),
  );
  await assert.rejects(async () => native.hashFiles(fd, ['0'], undefined, []), TypeError);
  fs.symlinkSync('/etc/passwd', here('hash/link'));
  await assert.rejects(native.hashFiles(fd, ['0', 'link']), { code: 'ELOOP', path: 'link' });
  await assert.rejects(native.hashFiles(fd, ['../old']), { code: 'EXDEV' });
  native.mknodat(fd, 'fifo', C.S_IFIFO | 0o600, 0, 0);
  await assert.rejects(native.hashFiles(fd, ['fifo']), { code: 'EINVAL' });
  native.close(fd);
});

test('work on the pool ends when it is cancelled', async () => {
  fs.writeFileSync(here('big'), '');
  fs.truncateSync(here('big'), 2 ** 40);
  const token = new native.CancelToken();
  const hash = native.hashFiles(root, ['big'], token);
  setTimeout(() => token.cancel(), 20);
  await assert.rejects(hash, { code: 'ECANCELED' });
  await assert.rejects(native.hashFiles(root, ['big'], AbortSignal.timeout(20)), { code: 'ECANCELED' });
  await assert.rejects(native.walk(root, '', {}, AbortSignal.abort()), { code: 'ECANCELED' });
  fs.rmSync(here('big'));
});

test('copyData keeps holes', async () => {
  const fd = fs.openSync(here('sparse'), 'w+');
  fs.writeSync(fd, 'begin', 0);
  fs.writeSync(fd, 'end', 10_000_000);
  fs.ftruncateSync(fd, 20_000_000);
  const copy = fs.openSync(here('sparse-copy'), 'w+');
  assert.equal(await native.copyData(fd, copy), 20_000_000);
  const [a, b] = [native.stat(root, 'sparse'), native.stat(root, 'sparse-copy')];
  assert.equal(b.size, a.size);
  assert.ok(b.blocks * 512 < 1_000_000, `${b.blocks} blocks`);
  assert.deepEqual(fs.readFileSync(here('sparse-copy')), fs.readFileSync(here('sparse')));
  fs.closeSync(fd);
  fs.closeSync(copy);
});

test('walk gives directories before their content, sorted by bytes in each', async () => {
  const fd = folder('walk');
  for (const name of ['b', 'b/c', 'a', 'b-', 'a/z']) fs.mkdirSync(here(`walk/${name}`), { recursive: true });
  fs.symlinkSync('../..', here('walk/b/up'));
  fs.writeFileSync(here('walk/a/z/file'), 'abc');
  const entries = await native.walk(fd, '', { prune: [Buffer.from('b')] });
  assert.deepEqual(
    entries.map((entry) => entry.path.toString()),
    ['a', 'a/z', 'a/z/file', 'b', 'b-'],
  );
  assert.equal(entries[2].size, 3);
  const below = await native.walk(fd, 'b', { xattrs: true });
  assert.deepEqual(
    below.map((entry) => [entry.path.toString(), entry.link?.toString(), entry.xattrs]),
    [
      ['c', undefined, []],
      ['up', '../..', []],
    ],
  );
  await assert.rejects(native.walk(fd, 'missing', {}), { code: 'ENOENT' });
  native.close(fd);
});

test('trees deeper than a path may be long are walked and removed', async () => {
  const fd = folder('deep');
  let at = native.openat2(fd, '.', C.O_RDONLY | C.O_DIRECTORY, 0, 0);
  const name = 'd'.repeat(100);
  for (let i = 0; i < 200; i++) {
    native.mkdirat(at, name, 0o700);
    const next = native.openat2(at, name, C.O_RDONLY | C.O_DIRECTORY, 0, 0);
    native.close(at);
    at = next;
  }
  native.close(at);
  const entries = await native.walk(fd, '', {});
  assert.equal(entries.length, 200);
  assert.equal(entries.at(-1).path.length, 200 * 101 - 1);
  await native.removeTree(root, 'deep');
  assert.equal(native.statOrUndefined(root, 'deep'), undefined);
  native.close(fd);
});

test('copyFiles keeps owner, mode, times, links, devices and attributes', asRoot, async () => {
  const source = folder('copy-source');
  const destination = folder('copy-destination');
  fs.mkdirSync(here('copy-source/d'));
  fs.mkdirSync(here('copy-destination/d'));
  fs.writeFileSync(here('copy-source/d/file'), 'data');
  native.chownat(source, 'd', 1, 1);
  const sub = native.openat2(source, 'd', C.O_PATH, 0, 0);
  native.chownat(sub, 'file', 12, 34);
  native.chmodat(sub, 'file', 0o6755);
  native.setXattr(
    sub,
    'file',
    'security.capability',
    Buffer.from('0100000200040000000000000000000000000000', 'hex'),
  );
  native.setXattr(sub, 'file', 'user.note', Buffer.from('hello'));
  native.utimesat(sub, 'file', 5n, 1_234_567_890_123_456_789n);
  native.linkat(sub, 'file', source, 'hard');
  native.symlinkat('/nowhere', source, 'soft');
  native.chownat(source, 'soft', 7, 8);
  native.mknodat(source, 'null', C.S_IFCHR | 0o666, 1, 3);
  native.mknodat(source, 'pipe', C.S_IFIFO | 0o600, 0, 0);
  const names = ['d/file', 'hard', 'soft', 'null', 'pipe'];
  const items = names.map((name) => ({ source: name, destination: name }));
  await native.copyFiles(source, destination, items, { xattrs: true });
  for (const name of names) {
    const [a, b] = [native.stat(source, name), native.stat(destination, name)];
    for (const key of ['mode', 'uid', 'gid', 'nlink', 'size', 'mtimeNs', 'rdevMajor', 'rdevMinor']) {
      assert.equal(b[key], a[key], `${name} ${key}`);
    }
  }
  assert.equal(native.stat(destination, 'hard').ino, native.stat(destination, 'd/file').ino);
  assert.deepEqual(native.listXattrs(destination, 'hard'), native.listXattrs(source, 'hard'));
  await assert.rejects(native.copyFiles(source, destination, items, { xattrs: true }), { code: 'EEXIST' });

  const owned = folder('copy-owned');
  await native.copyFiles(source, owned, [{ source: 'd/file', destination: 'f' }], {
    uid: 3,
    gid: 4,
    mode: 0o600,
    xattrs: false,
  });
  const stat = native.stat(owned, 'f');
  assert.deepEqual([stat.uid, stat.gid, stat.mode & 0o7777], [3, 4, 0o600]);
  assert.deepEqual(native.listXattrs(owned, 'f'), []);
  fs.symlinkSync('/tmp', here('copy-owned/out'));
  await assert.rejects(
    native.copyFiles(source, owned, [{ source: 'hard', destination: 'out/x' }], { xattrs: false }),
    {
      code: 'ELOOP',
    },
  );
  for (const fd of [source, destination, sub, owned]) native.close(fd);
});

test('removeTree takes nothing outside with it', async () => {
  fs.mkdirSync(here('trip'));
  fs.writeFileSync(here('trip/wire'), 'still here');
  fs.mkdirSync(here('doomed/locked'), { recursive: true });
  fs.symlinkSync('../trip', here('doomed/link'));
  fs.chmodSync(here('doomed/locked'), 0);
  await native.removeTree(root, 'doomed');
  await native.removeTree(root, 'doomed');
  assert.equal(fs.readFileSync(here('trip/wire'), 'utf8'), 'still here');
  assert.throws(() => native.removeTree(root, '.'), { code: 'EINVAL' });
});

/** Runs a module in a mount namespace of its own, as the engine is run; the path of its scratch folder is argv[1]. */
function inNamespace(code, ...flags) {
  const at = fs.mkdtempSync(here('mounts-'));
  const script = `import * as native from ${JSON.stringify(import.meta.resolve('@tsbuild/native'))};
    import fs from 'node:fs'; import assert from 'node:assert/strict';
    const C = native.constants; const dir = process.argv[1];
    ${code}`;
  return execFileSync('unshare', [...flags, process.execPath, '--input-type=module', '-e', script, at], {
    encoding: 'utf8',
  });
}

const overlayCode = (userxattr) => `
  for (const d of ['low', 'up', 'work', 'mid']) fs.mkdirSync(dir + '/' + d);
  fs.writeFileSync(dir + '/low/gone', 'x'); fs.writeFileSync(dir + '/low/kept', 'kept');
  fs.mkdirSync(dir + '/low/moved');
  const fd = native.mountOverlay({ lower: [dir + '/mid', dir + '/low'], upper: dir + '/up', work: dir + '/work', userxattr: ${userxattr} });
  native.unlinkat(fd, 'gone');
  assert.throws(() => native.renameat2(fd, 'moved', fd, 'else'), { code: 'EXDEV' });
  assert.deepEqual(native.readdir(fd).map((e) => e.name.toString()), ['kept', 'moved']);
  native.close(fd);
  assert.equal(native.stat(native.AT_FDCWD, dir + '/up/gone').mode & C.S_IFMT, C.S_IFCHR);
  const view = native.mountOverlay({ lower: [dir + '/up', dir + '/low'], userxattr: ${userxattr}, readonly: true });
  assert.throws(() => native.mkdirat(view, 'x', 0o755), { code: 'EROFS' });
  assert.equal(native.statOrUndefined(view, 'gone'), undefined);
  native.close(view);
  const one = native.mountOverlay({ lower: [dir + '/low'], userxattr: ${userxattr} });
  assert.throws(() => native.mkdirat(one, 'x', 0o755), { code: 'EROFS' });
  native.close(one);
  assert.throws(() => native.mountOverlay({ lower: [], userxattr: ${userxattr} }), { code: 'EINVAL' });
  assert.equal(fs.readFileSync('/proc/self/mounts', 'utf8').includes(dir), false);
  console.log('done');`;

test('an overlay is mounted detached and leaves no trace', asRoot, () => {
  assert.equal(inNamespace(overlayCode(false), '--mount'), 'done\n');
});

test('an overlay with user.overlay attributes works in a user namespace', asRoot, () => {
  assert.equal(inNamespace(overlayCode(true), '--user', '--map-root-user', '--mount'), 'done\n');
});

test('300 layers are one overlay', asRoot, () => {
  const code = `
    const lower = [];
    for (let i = 0; i < 300; i++) {
      const path = dir + '/some:odd,name-' + i; fs.mkdirSync(path); fs.writeFileSync(path + '/f' + i, ''); fs.writeFileSync(path + '/same', String(i));
      lower.push(path);
    }
    const fd = native.mountOverlay({ lower, userxattr: false, readonly: true });
    assert.equal(native.readdir(fd).length, 301);
    const same = native.openat2(fd, 'same', C.O_RDONLY, 0, C.RESOLVE_IN_ROOT);
    assert.equal(fs.readFileSync(same, 'utf8'), '0');
    console.log('done');`;
  assert.equal(inNamespace(code, '--mount'), 'done\n');
});
