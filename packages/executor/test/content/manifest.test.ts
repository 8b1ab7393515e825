/** Lists of files: what was written is read, damage is nothing, and differences are those of the digest. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { type FileChange, sha256 } from '@tsbuild/core';
import * as native from '@tsbuild/native';
import type { Selector } from '@tsbuild/solver';
import { digestSelector, hashWithoutCache } from '../../src/content/digest.js';
import { decodeManifest, encodeManifest, type FileEntry, Manifests } from '../../src/content/manifest.js';
import { manifestDifference } from '../../src/content/manifest-diff.js';

const folder = mkdtempSync(join(tmpdir(), 'tsbuild-manifest-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const signal = new AbortController().signal;

const entry: FileEntry = {
  name: '',
  type: native.constants.S_IFREG,
  bare: false,
  mode: 0o644,
  uid: 0,
  gid: 0,
  xattrs: '',
  link: '',
  device: '',
  size: 0,
  data: '',
  firstName: '',
};

describe('the format', () => {
  const groups = [
    { name: '', path: '', entries: [] },
    {
      name: 'src',
      path: 'a/src',
      entries: [
        { ...entry, type: native.constants.S_IFDIR, bare: true, mode: 0 },
        { ...entry, name: 'dir/file', uid: 1000, gid: 4_000_000_000, size: 2 ** 40, data: '\xff\x00abcdef' },
        { ...entry, name: 'dir/file2', firstName: 'dir/file', xattrs: '12345678' },
        { ...entry, name: '\xc3\xa9', type: native.constants.S_IFLNK, mode: 0o777, link: '../x' },
        { ...entry, name: 'null', type: native.constants.S_IFCHR, device: '1:3' },
      ],
    },
  ];
  const encoded = encodeManifest(groups.map((group) => ({ ...group, count: group.entries.length })));
  assert.ok(encoded);
  test('gives back what went in', () => assert.deepEqual(decodeManifest(encoded), groups));
  test('any damage makes it nothing', () => {
    for (let at = 0; at < encoded.length; at++) {
      const damaged: Buffer = Buffer.from(encoded);
      damaged.writeUInt8(damaged.readUInt8(at) ^ 1, at);
      assert.equal(decodeManifest(damaged), undefined, `byte ${at}`);
      assert.equal(decodeManifest(encoded.subarray(0, at)), undefined, `cut at ${at}`);
    }
  });
  test('a list that is too long is not kept', () => {
    const long = Array.from({ length: 200_000 }, (_, i) => ({
      ...entry,
      name: `${i}`.padStart(60, '0').split('').reverse().join(''),
    }));
    assert.equal(encodeManifest([{ name: '', path: '', count: long.length, entries: long }]), undefined);
  });
});

/** The files in which two states of a folder differ, as `COPY . /` sees them. */
async function differenceOf(name: string, change: (path: string) => void): Promise<string[]> {
  const context = join(folder, name);
  mkdirSync(join(context, 'src/deep'), { recursive: true });
  writeFileSync(join(context, 'src/app.js'), 'one');
  writeFileSync(join(context, 'src/deep/x'), 'x');
  writeFileSync(join(context, 'twin'), 'twin');
  symlinkSync('src', join(context, 'link'));
  const manifests = new Manifests(join(folder, `${name}-lists`));
  const digest = async () => {
    const root = native.openat2(
      native.AT_FDCWD,
      context,
      native.constants.O_PATH | native.constants.O_DIRECTORY,
      0,
      0,
    );
    try {
      const tree = { root, crossMounts: true };
      const action = { source: '/', exclude: [], parents: false, ownerZero: true };
      const selector: Selector = { type: 'copy', action: { ...action, unpack: 'never' } };
      return await digestSelector(tree, selector, hashWithoutCache(tree, signal), signal, manifests);
    } finally {
      native.close(root);
    }
  };
  const before = await digest();
  change(context);
  const present = await digest();
  const [old, now] = [manifests.read(before), manifests.read(present)];
  assert.ok(old && now);
  const { files, counts } = manifestDifference(old, now);
  assert.equal(before === present, files.length === 0);
  assert.equal(counts.added + counts.changed + counts.removed, files.length);
  return files.map(textOf);
}

function textOf({ change, path, aspects }: FileChange): string {
  return [change, path, ...(aspects ?? [])].join(' ');
}

describe('differences of two states of a folder', () => {
  const cases: [name: string, change: (path: string) => void, files: string[]][] = [
    ['nothing but a time', (at) => lutimesSync(join(at, 'src/app.js'), 1, 1), []],
    [
      'content of the same size',
      (at) => writeFileSync(join(at, 'src/app.js'), 'two'),
      ['changed src/app.js content'],
    ],
    ['a mode', (at) => chmodSync(join(at, 'src/app.js'), 0o600), ['changed src/app.js mode']],
    ['a mode of a folder', (at) => chmodSync(join(at, 'src'), 0o700), ['changed src mode']],
    [
      'files that come, with their folder',
      (at) => {
        mkdirSync(join(at, 'new/er'), { recursive: true });
        writeFileSync(join(at, 'new/er/f'), '');
        mkdirSync(join(at, 'empty'));
      },
      ['added empty', 'added new/er/f'],
    ],
    [
      'a folder that goes',
      (at) => rmSync(join(at, 'src'), { recursive: true }),
      ['removed src/app.js', 'removed src/deep/x'],
    ],
    [
      'a link to elsewhere',
      (at) => {
        rmSync(join(at, 'link'));
        symlinkSync('twin', join(at, 'link'));
      },
      ['changed link link'],
    ],
    [
      'a link that becomes a file',
      (at) => {
        rmSync(join(at, 'link'));
        writeFileSync(join(at, 'link'), 'src');
      },
      ['changed link type'],
    ],
    [
      'a file that becomes a second name',
      (at) => {
        writeFileSync(join(at, 'src/app.js'), 'twin');
        rmSync(join(at, 'twin'));
        linkSync(join(at, 'src/app.js'), join(at, 'twin'));
      },
      ['changed src/app.js content', 'changed twin hard link'],
    ],
  ];
  for (const [index, [name, change, files]] of cases.entries())
    test(name, async () => assert.deepEqual(await differenceOf(`case-${index}`, change), files));
});

describe('lists in the store', () => {
  test('the same list is kept once and counts as used', () => {
    const path = join(folder, 'kept');
    const manifests = new Manifests(path);
    let encoded = 0;
    const encode = () => {
      encoded++;
      return encodeManifest([]);
    };
    for (let i = 0; i < 3; i++) manifests.keep(sha256('a'), encode);
    assert.equal(encoded, 1);
    assert.deepEqual(manifests.read(sha256('a')), []);
    assert.equal(manifests.read(sha256('b')), undefined);
  });
  test('a folder that cannot be written to costs no more than the list', () => {
    writeFileSync(join(folder, 'file'), '');
    const manifests = new Manifests(join(folder, 'file'));
    manifests.keep(sha256('a'), () => encodeManifest([]));
    manifests.trim();
    assert.equal(manifests.read(sha256('a')), undefined);
  });
  test('together they take no more than 64 MiB, the longest unused go', () => {
    const path = join(folder, 'many');
    const manifests = new Manifests(path);
    for (let i = 0; i < 10; i++) manifests.keep(sha256(`${i}`), () => Buffer.alloc(8 * 2 ** 20));
    manifests.trim();
    assert.equal(readdirSync(path).length, 8);
    rmSync(path, { recursive: true });
  });
});
