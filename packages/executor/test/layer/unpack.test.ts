import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
  closeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe as group, test } from 'node:test';
import * as native from '@tsbuild/native';
import type { SnapshotId } from '@tsbuild/solver';
import { extractArchive, unpackLayer } from '../../src/layer/index.js';
import { tarType } from '../../src/layer/tar-header.js';
import { describe, inUserNamespace, isRoot } from '../snapshot/trees.js';
import {
  digestOf,
  drivers,
  type Item,
  never,
  newStore,
  pathsOf,
  type Store,
  streamOf,
  tarOf,
} from './tars.js';

const C = native.constants;
const skip = isRoot ? false : 'needs root';
const symlink = (name: string, target: string): Item => ({
  type: tarType.symlink,
  name,
  linkname: Buffer.from(target),
});
const hardLink = (name: string, target: string): Item => ({
  type: tarType.hardLink,
  name,
  linkname: Buffer.from(target),
});

for (const driver of Object.keys(drivers) as (keyof typeof drivers)[]) {
  group(`unpacking layers: ${driver}`, { skip }, () => {
    let store: Store;
    beforeEach(() => {
      store = newStore(driver);
    });
    afterEach(() => store.remove());

    const cases: [what: string, layers: Item[][], paths: string[]][] = [
      ['a whiteout removes a file', [[['a'], ['b']], [['.wh.a']]], ['b']],
      ['a whiteout removes a tree', [[['d/'], ['d/x/'], ['d/x/y']], [['.wh.d']]], []],
      ['a whiteout of nothing is nothing', [[['a']], [['.wh.b'], ['d/.wh.c']]], ['a']],
      [
        'a whiteout before the same name',
        [
          [['d/'], ['d/old']],
          [['.wh.d'], ['d/'], ['d/new']],
        ],
        ['d', 'd/new'],
      ],
      [
        'a whiteout after the same name',
        [
          [['d/'], ['d/old']],
          [['d/'], ['d/new'], ['.wh.d']],
        ],
        ['d', 'd/new'],
      ],
      ['a whiteout after the same file', [[['f']], [['f', 'new'], ['.wh.f']]], ['f']],
      [
        'an opaque marker first',
        [
          [['d/'], ['d/old'], ['d/s/'], ['d/s/x']],
          [['d/'], ['d/.wh..wh..opq'], ['d/new']],
        ],
        ['d', 'd/new'],
      ],
      [
        'an opaque marker last',
        [
          [['d/'], ['d/old'], ['d/s/'], ['d/s/x']],
          [['d/'], ['d/s/'], ['d/s/y'], ['d/.wh..wh..opq']],
        ],
        ['d', 'd/s', 'd/s/y'],
      ],
      [
        'an opaque root',
        [
          [['a'], ['b/'], ['b/c']],
          [['.wh..wh..opq'], ['z']],
        ],
        ['z'],
      ],
      ['other markers of aufs', [[['a']], [['.wh..wh.plnk/'], ['.wh..wh.aufs']]], ['a']],
      ['a directory in place of a file', [[['x']], [['x/'], ['x/y']]], ['x', 'x/y']],
      ['a file in place of a directory', [[['x/'], ['x/y']], [['x', 'file']]], ['x']],
      ['a link in place of a directory', [[['x/'], ['x/y']], [symlink('x', '/etc')]], ['x']],
      ['missing parents', [[['deep/down/file']]], ['deep', 'deep/down', 'deep/down/file']],
      [
        'names like ./a, /b and d//c/../e',
        [[['./'], ['./a'], ['/b'], ['d//c/../e']]],
        ['a', 'b', 'd', 'd/e'],
      ],
      ['the last of two with one name counts', [[['a', '1'], ['a/'], ['a/b'], ['a', '2']]], ['a']],
    ];
    for (const [what, layers, paths] of cases) {
      test(what, async () => {
        const ids = await store.chain(...layers.map(tarOf));
        assert.deepEqual(pathsOf(await store.look(ids)), paths);
      });
    }

    test('a parent that is not listed keeps what the layer below says of it', async () => {
      const ids = await store.chain(tarOf([{ name: 'd/', mode: 0o1700, uid: 7, gid: 8 }]), tarOf([['d/f']]));
      assert.equal((await store.look(ids))[0], 'd dir 1700 7:8');
    });

    test('a hard link to a file of a layer below', async () => {
      const ids = await store.chain(tarOf([['d/a', 'data']]), tarOf([hardLink('b', 'd/a')]));
      const [, , b] = [...(await store.look(ids))].sort();
      assert.match(b as string, /^d\/a file .* = b|^b file 644 0:0 4 3a6eb0790f39ac87/);
      const view = await store.snapshotter.view(ids);
      assert.equal(native.stat(view.fd, 'b').size, 4);
      await view.close();
    });

    test('a changed file does not change its other names below', async () => {
      const ids = await store.chain(tarOf([['a', 'one'], hardLink('b', 'a')]), tarOf([['a', 'three']]));
      const view = await store.snapshotter.view(ids);
      assert.deepEqual([native.stat(view.fd, 'a').size, native.stat(view.fd, 'b').size], [5, 3]);
      await view.close();
    });

    test('attributes are kept, those of overlayfs and trusted.* are not', async () => {
      const records = [
        ['SCHILY.xattr.security.capability', Buffer.from('0100000200040000000000000000000000000000', 'hex')],
        ['SCHILY.xattr.user.a', Buffer.from([0, 10, 255])],
        ['LIBARCHIVE.xattr.user.b%3D', Buffer.from('eHl6')],
        ['LIBARCHIVE.xattr.user.%ff%0a', Buffer.from('eQ==')],
        ['SCHILY.xattr.user.z\xfe', Buffer.from('z')],
        ['SCHILY.xattr.trusted.overlay.opaque', Buffer.from('y')],
        ['SCHILY.xattr.user.overlay.redirect', Buffer.from('/etc')],
        ['SCHILY.xattr.trusted.x', Buffer.from('y')],
      ] as const;
      const ids = await store.chain(
        tarOf([
          { name: 'f', records: [...records], mode: 0o4711, uid: 1 },
          { name: 'd/', records: [...records].slice(5) },
        ]),
      );
      assert.deepEqual(await store.look(ids), [
        'd dir 755 0:0',
        'f file 4711 1:0 0 e3b0c44298fc1c14 1600000000000000000 ' +
          'security.capability=0100000200040000000000000000000000000000 user.a=000aff user.b==78797a user.z\xfe=7a user.\xff\n=79',
      ]);
    });

    const hostile: [what: string, layers: Item[][], code: string][] = [
      ['its root replaced by a link', [[symlink('.', '/')]], 'TSB_INTEGRITY_BAD_ARCHIVE'],
      ['its root replaced by a file', [[['./../.', 'x']]], 'TSB_INTEGRITY_BAD_ARCHIVE'],
      ['a whiteout of ..', [[['d/.wh...']]], 'TSB_INTEGRITY_BAD_ARCHIVE'],
      ['a whiteout of .', [[['d/.wh..']]], 'TSB_INTEGRITY_BAD_ARCHIVE'],
      ['a whiteout of no name', [[['d/.wh.']]], 'TSB_INTEGRITY_BAD_ARCHIVE'],
      ['a hard link to nothing', [[hardLink('x', '../../../etc/passwd')]], 'TSB_INTEGRITY_BAD_ARCHIVE'],
      ['a file below a file', [[['a'], ['a/b']]], 'TSB_INTEGRITY_BAD_ARCHIVE'],
    ];
    for (const [what, layers, code] of hostile) {
      test(`refused: ${what}`, async () => {
        await assert.rejects(store.chain(...layers.map(tarOf)), { code });
        assert.deepEqual(store.snapshotter.list(), []);
      });
    }

    test('no entry gets out of the root', async () => {
      const trip = mkdtempSync(join(tmpdir(), 'tsbuild-trip-'));
      writeFileSync(`${trip}/wire`, 'untouched');
      mkdirSync(`${trip}/dir`);
      const [before] = [readFileSync(`${trip}/wire`, 'utf8')];
      const up = '../'.repeat(20);
      const attacks: Item[][] = [
        [
          [`${up}${trip}/wire`, 'HOST'],
          [`${trip}/new`, 'HOST'],
        ],
        [symlink('out', trip), ['out/wire', 'HOST'], ['out/new', 'HOST'], ['out/.wh.wire']],
        [
          symlink('out', `${up}${trip}`),
          ['out/dir/', ''],
          { name: 'out/dir/', mode: 0o777 },
          hardLink('in', 'out/wire'),
        ],
        [symlink('a', 'b'), symlink('b', trip), ['a/wire', 'HOST']],
        [symlink('f', `${trip}/wire`), ['f', 'HOST'], { name: 'f', mode: 0o777 }],
        [symlink('l', `${trip}/wire`), hardLink('h', 'l'), { name: 'h', data: Buffer.from('HOST') }],
        [['d/'], symlink('d', trip), ['d/wire', 'HOST']],
        [symlink('x', trip), ['x/.wh..wh..opq']],
        [symlink('magic', '/proc/self/root'), [`magic${trip}/wire`, 'HOST']],
      ];
      for (const attack of attacks) {
        try {
          await store.chain(tarOf(attack));
        } catch (error) {
          assert.match((error as { code: string }).code, /^TSB_INTEGRITY_BAD_ARCHIVE$/);
        }
        assert.equal(readFileSync(`${trip}/wire`, 'utf8'), before, "the host's file was changed");
        assert.deepEqual(readdirSync(trip).sort(), ['dir', 'wire']);
        assert.equal(native.stat(native.AT_FDCWD, `${trip}/dir`).mode & 0o777, 0o755);
        assert.equal(native.stat(native.AT_FDCWD, `${trip}/wire`).nlink, 1);
      }
      await native.removeTree(native.AT_FDCWD, trip);
    });

    test('the digest is that of every byte, padding too; a wrong one publishes nothing', async () => {
      const tar = Buffer.concat([tarOf([['a', 'x']]), Buffer.alloc(5000, 0)]);
      const options = {
        snapshotter: store.snapshotter,
        parents: [],
        id: 'wanted' as SnapshotId,
        signal: never,
      };
      await assert.rejects(
        unpackLayer(streamOf(tar), { ...options, diffId: digestOf(tar.subarray(0, 2048)) }),
        {
          code: 'TSB_INTEGRITY_DIFF_ID',
        },
      );
      assert.equal(store.snapshotter.exists(options.id), false);
      assert.equal(await unpackLayer(streamOf(tar), { ...options, diffId: digestOf(tar) }), 'wanted');
      assert.deepEqual(
        readdirSync(`${store.root}/tmp/lease`).filter((name) => name !== 'empty'),
        [],
      );
    });

    test('an archive that is cut anywhere is an error, and so is a flipped byte in a header', async () => {
      const tar = tarOf([['a', 'x'.repeat(700)], { name: 'n'.repeat(200), data: Buffer.from('y') }]);
      for (const end of [100, 512, 600, 1535, 1600, 2100, 3000].filter((at) => at % 512 !== 0)) {
        await assert.rejects(
          store.chain(tar.subarray(0, end)),
          { code: 'TSB_INTEGRITY_BAD_ARCHIVE' },
          `cut at ${end}`,
        );
      }
      const bad = Buffer.from(tar);
      bad[3] = 0x41;
      await assert.rejects(store.chain(bad), { code: 'TSB_INTEGRITY_BAD_ARCHIVE' });
      assert.deepEqual(store.snapshotter.list(), []);
    });

    test('a cancelled unpacking leaves nothing', async () => {
      const tar = tarOf(Array.from({ length: 50 }, (_, i) => [`f${i}`, 'x'.repeat(1000)]));
      const abort = new AbortController();
      async function* slow(): AsyncGenerator<Buffer> {
        yield tar.subarray(0, 20_000);
        abort.abort(new Error('enough'));
        yield tar.subarray(20_000);
      }
      const options = {
        snapshotter: store.snapshotter,
        parents: [],
        id: 'x' as SnapshotId,
        signal: abort.signal,
      };
      await assert.rejects(unpackLayer(slow(), { ...options, diffId: digestOf(tar) }), /enough/);
      assert.deepEqual(store.snapshotter.list(), []);
      assert.deepEqual(
        readdirSync(`${store.root}/tmp/lease`).filter((name) => name !== 'empty'),
        [],
      );
    });
  });
}

group('archives of other programs', { skip }, () => {
  let dir: string;
  let store: Store;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'tsbuild-archives-'));
    store = newStore('overlay');
    mkdirSync(`${dir}/tree/sub`, { recursive: true });
    const fd = native.openat2(native.AT_FDCWD, `${dir}/tree`, C.O_RDONLY, 0, 0);
    writeFileSync(`${dir}/tree/${'long'.repeat(40)}`, 'a');
    writeFileSync(Buffer.concat([Buffer.from(`${dir}/tree/sub/`), Buffer.from([0xff, 0xe4])]), 'bytes');
    native.symlinkat('t'.repeat(150), fd, 'link');
    if (!inUserNamespace) native.mknodat(fd, 'console', C.S_IFCHR | 0o600, 5, 1);
    native.mknodat(fd, 'fifo', C.S_IFIFO | 0o640, 0, 0);
    writeFileSync(`${dir}/tree/owned`, 'x');
    // Only some ids are mapped in a user namespace.
    native.chownat(fd, 'owned', inUserNamespace ? 60_000 : 70_000, inUserNamespace ? 65_000 : 3_000_000);
    native.linkat(fd, 'owned', fd, 'zz-again');
    const sparse = openSync(`${dir}/tree/sparse`, 'w');
    for (let i = 0; i < 40; i++) writeSync(sparse, `piece ${i}`, i * 200_000 + 5);
    ftruncateSync(sparse, 12_000_000);
    closeSync(sparse);
    for (const { name } of native.readdir(fd))
      native.utimesat(fd, name, 5_000_000_000n, 1_600_000_000_000_000_000n);
    const sub = native.openat2(fd, 'sub', C.O_RDONLY, 0, 0);
    for (const { name } of native.readdir(sub))
      native.utimesat(sub, name, 5_000_000_000n, 1_600_000_000_000_000_000n);
    native.close(sub);
    native.close(fd);
  });
  after(async () => {
    await store.remove();
    await native.removeTree(native.AT_FDCWD, dir);
  });

  async function tree(): Promise<string[]> {
    const fd = native.openat2(native.AT_FDCWD, `${dir}/tree`, C.O_RDONLY, 0, 0);
    try {
      return await describe(fd);
    } finally {
      native.close(fd);
    }
  }

  for (const flags of [
    ['--format=gnu'],
    ['--format=pax'],
    ['--format=gnu', '--sparse'],
    ['--format=pax', '--sparse', '--sparse-version=0.0'],
    ['--format=pax', '--sparse', '--sparse-version=0.1'],
    ['--format=pax', '--sparse', '--sparse-version=1.0'],
  ]) {
    test(`GNU tar ${flags.join(' ')}`, async () => {
      const tar = execFileSync('tar', ['-C', `${dir}/tree`, '--sort=name', ...flags, '-cf', '-', '.'], {
        maxBuffer: 1 << 26,
      });
      const ids = await store.chain(tar);
      assert.deepEqual(await store.look(ids), await tree());
      const view = await store.snapshotter.view(ids);
      const stat = native.stat(view.fd, 'sparse');
      await view.close();
      if (flags.includes('--sparse')) assert.ok(stat.blocks * 512 < 2_000_000, 'holes stay holes');
    });
  }

  const damaged: [what: string, change: (block: Buffer) => void][] = [
    [
      'an extended header of a gigabyte',
      (block) => block.write('10000000000\0', 124) && block.write('x', 156),
    ],
    ['a size that is no number', (block) => block.write('what is it\0\0', 124)],
    ['a negative size', (block) => block.fill(0xff, 124, 136)],
    ['an absurd base-256 size', (block) => block.fill(0x80, 124, 125) && block.fill(0xff, 125, 136)],
  ];
  for (const [what, change] of damaged) {
    test(`refused: ${what}`, async () => {
      const tar = tarOf([['a', 'x']]);
      change(tar.subarray(0, 512));
      tar.write('        ', 148);
      const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0);
      tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
      await assert.rejects(store.chain(tar), { code: 'TSB_INTEGRITY_BAD_ARCHIVE' });
    });
  }

  for (const map of ['5,10,3,1', '-5,10', '0,99999999999', 'a,b', '0,1,2']) {
    test(`refused: the sparse map ${map}`, async () => {
      const records = [
        ['GNU.sparse.map', Buffer.from(map)],
        ['GNU.sparse.size', Buffer.from('100')],
      ] as const;
      const tar = tarOf([{ name: 'f', data: Buffer.alloc(11), records: [...records] }]);
      await assert.rejects(store.chain(tar), { code: 'TSB_INTEGRITY_BAD_ARCHIVE' });
    });
  }
});

group('ADD of an archive', { skip }, () => {
  let dir: string;
  let fd: number;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'tsbuild-add-'));
    mkdirSync(`${dir}/dest/merged`, { recursive: true });
    fd = native.openat2(native.AT_FDCWD, `${dir}/dest`, C.O_PATH, 0, 0);
  });
  afterEach(async () => {
    native.close(fd);
    await native.removeTree(native.AT_FDCWD, dir);
  });
  const extract = (items: Item[], owner?: { uid: number; gid: number }): Promise<void> =>
    extractArchive(streamOf(tarOf(items)), fd, { owner, signal: never });

  test('files are replaced, directories merged, .wh. names are names', async () => {
    writeFileSync(`${dir}/dest/merged/kept`, '');
    writeFileSync(`${dir}/dest/file`, 'old');
    await extract([
      { name: 'merged/', mode: 0o700, uid: 3 },
      ['merged/new'],
      ['file', 'new!'],
      ['merged/.wh.kept'],
    ]);
    assert.deepEqual(await describe(fd, false), [
      `file file 644 0:0 4 ${createHash('sha256').update('new!').digest('hex').slice(0, 16)}`,
      'merged dir 700 3:0',
      'merged/.wh.kept file 644 0:0 0 e3b0c44298fc1c14',
      'merged/kept file 644 0:0 0 e3b0c44298fc1c14',
      'merged/new file 644 0:0 0 e3b0c44298fc1c14',
    ]);
    assert.equal(native.stat(fd, 'merged').mtimeNs, 1_600_000_000_000_000_000n);
  });

  test('every entry belongs to --chown, made parents to root', async () => {
    await extract([{ name: 'p/q', uid: 5, gid: 6 }, symlink('l', 'x')], { uid: 11, gid: 12 });
    for (const [path, owner] of [
      ['p', [0, 0]],
      ['p/q', [11, 12]],
      ['l', [11, 12]],
    ] as const) {
      const { uid, gid } = native.stat(fd, path);
      assert.deepEqual([uid, gid], owner, path);
    }
  });

  test('a hard link is resolved from the directory as root', async () => {
    writeFileSync(`${dir}/outside`, 'host');
    await assert.rejects(extract([hardLink('hh', '/outside')]), {
      code: 'TSB_INTEGRITY_BAD_ARCHIVE',
      message: 'link /outside /hh: no such file or directory',
    });
    await extract([['a', 'x'], hardLink('d/b', '/a')]);
    assert.equal(native.stat(fd, 'd/b').nlink, 2);
  });

  test('a link in the directory does not lead out of it', async () => {
    mkdirSync(`${dir}/host`);
    native.symlinkat(`${dir}/host`, fd, 'out');
    native.symlinkat('../../host', fd, 'up');
    await extract([['out/x']]);
    assert.equal(
      native.stat(fd, `${dir.slice(1)}/host/x`).size,
      0,
      'an absolute link starts at the directory',
    );
    await assert.rejects(extract([['up/x']]), { code: 'TSB_INTEGRITY_BAD_ARCHIVE' });
    assert.deepEqual(readdirSync(`${dir}/host`), []);
  });

  // As docker buildx unpacks them.
  const unpacked: [what: string, items: Item[], paths: string[]][] = [
    ['through a link', [['a/'], symlink('l', 'a'), ['l/f']], ['a', 'a/f', 'l']],
    ['through a link up and down', [['a/'], symlink('a/l', '../b'), ['a/l/f']], ['a', 'a/l', 'b', 'b/f']],
    ['through an absolute link', [['a/'], symlink('l', '/a'), ['l/f']], ['a', 'a/f', 'l']],
    ['through a link above the root', [symlink('l', '/../../x'), ['l/f']], ['l', 'x', 'x/f']],
    ['through a broken link', [symlink('l', 'no/where'), ['l/f']], ['l', 'no', 'no/where', 'no/where/f']],
    [
      'a hard link through a link',
      [['a/f'], symlink('l', 'a'), hardLink('h', 'l/f')],
      ['a', 'a/f', 'h', 'l'],
    ],
    ['a file in place of a directory', [['f/'], ['f/x'], ['f']], ['f']],
    ['a directory in place of a link', [['d/'], symlink('l', 'd'), ['l/'], ['l/f']], ['d', 'l', 'l/f']],
    ['an entry for the root that is a file', [{ name: '', data: Buffer.from('x') }, ['f', 'y']], ['f']],
    ['an entry for the root that is a link', [symlink('.', '/etc'), ['f']], ['f']],
    ['an absolute name', [['/f']], ['f']],
  ];
  for (const [what, items, paths] of unpacked)
    test(`unpacks ${what}`, async () => {
      native.unlinkat(fd, 'merged', C.AT_REMOVEDIR);
      await extract(items);
      assert.deepEqual(pathsOf(await describe(fd, false)), paths);
    });

  test('an owner beyond the ids of a user namespace is said as such', {
    skip: inUserNamespace ? false : 'all ids are mapped',
  }, async () => {
    const item = { name: 'f', uid: 4_000_000 };
    if (process.env['TSBUILD_SINGLE_ID'] === '1') await extract([item]);
    else await assert.rejects(extract([item]), { code: 'TSB_HOST_UNMAPPED_ID' });
  });

  test("the entry of the archive's root changes nothing of the directory", async () => {
    const shown = () => {
      const { mode, uid, mtimeNs } = native.stat(fd, '');
      return { mode, uid, mtimeNs };
    };
    const before = shown();
    await extract([{ name: './', mode: 0o700, uid: 7 }]);
    assert.deepEqual(shown(), before);
  });

  const refused: [what: string, items: Item[], message: RegExp][] = [
    ['a name that climbs', [['../f']], /an entry outside of it: "\.\.\/f"/],
    ['a name that climbs on its way', [['a/../../f']], /an entry outside of it/],
    ['an absolute name that climbs', [['/../f']], /an entry outside of it/],
    ['a hard link that climbs', [['f'], hardLink('h', '../f')], /a hard link to a file outside of it/],
    ['a link that leads out', [symlink('l', '..'), ['l/etc/f']], /a link on the way to "l\/etc" leads out/],
    ['a link that leads out and in again', [symlink('l', '../dest'), ['l/f']], /leads out/],
    ['a hard link through a link that leads out', [symlink('l', '..'), hardLink('h', 'l/f')], /leads out/],
    ['a file below a link to itself', [symlink('l', 'l'), ['l/f']], /it is no directory there/],
    ['a file below a file', [['f'], ['f/g']], /it is no directory there/],
  ];
  for (const [what, items, message] of refused)
    test(`refuses ${what}`, async () => {
      await assert.rejects(extract(items), { code: 'TSB_INTEGRITY_BAD_ARCHIVE', message });
    });
});
