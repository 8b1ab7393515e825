/** Caches that were made to do harm: whole documents with right digests, that the codec lets pass. */
import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type Digest, sha256 } from '@tsbuild/core';
import { encodeIndex } from '../../../src/remote-cache/mounts/index-document.js';
import { mountsType, packTypes, treeTypes } from '../../../src/remote-cache/mounts/media-types.js';
import type { MountTree, NodeContent, TreeNode } from '../../../src/remote-cache/mounts/tree.js';
import { encodeTree } from '../../../src/remote-cache/mounts/tree-codec.js';
import { folder, MemoryMedium, Store, wanted } from './fixture.js';

const attributes = { mode: 0o644, uid: 0, gid: 0, mtimeNs: 0n, xattrs: [] };
const root: TreeNode = { parent: 0, name: Buffer.alloc(0), ...attributes, mode: 0o755, type: 'directory' };
const content = Buffer.from('hostile');

type Draft = { name: string; parent?: number; mode?: number } & NodeContent;
const node = ({ name, parent = 0, ...rest }: Draft): TreeNode => ({
  parent,
  name: Buffer.from(name),
  ...attributes,
  ...rest,
});
const file = (name: string, rest: object = {}) =>
  node({ name, type: 'file', size: content.length, sparse: false, pieces: [0], ...rest });
const link = (name: string, target: string) => node({ name, type: 'symlink', target: Buffer.from(target) });
const directory = (name: string, parent = 0) => node({ name, parent, mode: 0o755, type: 'directory' });

/** A cache with the tree; `pack` is what its only pack unpacks to. */
function cacheOf(
  nodes: TreeNode[],
  {
    pack = content,
    chunk = sha256(content),
    length = pack.length,
  }: { pack?: Buffer; chunk?: Digest; length?: number } = {},
): MemoryMedium {
  const medium = new MemoryMedium();
  const add = (mediaType: string | undefined, bytes: Buffer) => {
    const blob = { mediaType: mediaType ?? '', digest: sha256(bytes), size: bytes.length };
    medium.blobs.set(blob.digest, bytes);
    return blob;
  };
  const packBlob = add(packTypes[0], gzipSync(pack));
  const tree: MountTree = {
    packs: [{ ...packBlob, length }],
    chunks: [{ digest: chunk, pack: 0, offset: 0, length: content.length }],
    nodes: [root, ...nodes],
  };
  const saved = {
    id: '/npm',
    created: '2026-01-01T00:00:00Z',
    size: 1,
    files: 1,
    tree: add(treeTypes[0], gzipSync(encodeTree(tree))),
    packs: [packBlob],
  };
  const index = add(mountsType, encodeIndex({ mounts: [saved] }));
  medium.document = { config: Buffer.from('{}'), blobs: [index, saved.tree, packBlob], annotations: {} };
  return medium;
}

test('the documents of these tests are good ones, but for what each changes', async (t) => {
  const store = new Store(t);
  const restored = await store.restore(
    [cacheOf([directory('d'), file('f', { parent: 1 })])],
    [wanted('/npm')],
    '/npm',
  );
  assert.equal(readFileSync(join(restored ?? '', 'd/f'), 'utf8'), 'hostile', store.notices.join());
});

const refused: Record<string, TreeNode[]> = {
  'two files of one name': [file('a'), file('a')],
  'a file where a link was made': [link('a', '/tripwire'), file('a')],
  'a link where a file was made': [file('a'), link('a', '/tripwire')],
  'a directory where a link was made': [link('a', '/'), directory('a'), file('tripwire', { parent: 2 })],
  'two directories of one name': [directory('a'), directory('a')],
  'a hard link where a file was made': [file('a'), node({ name: 'a', type: 'hardlink', to: 1 })],
  'a fifo where a file was made': [file('a'), node({ name: 'a', type: 'fifo' })],
  'a file of more bytes than are allowed': Array.from({ length: 200 }, (_, i) => file(`f${i}`)),
};

for (const [what, nodes] of Object.entries(refused)) {
  test(`not restored: ${what}`, async (t) => {
    const store = new Store(t);
    const limits = [{ ...wanted('/npm'), maxBytes: 1000 }];
    assert.equal(await store.restore([cacheOf(nodes)], limits, '/npm'), undefined);
    assert.match(store.notices.join(), /^cache mount npm: not restored, it begins empty: /);
  });
}

test('links lead nowhere while a mount is written', async (t) => {
  const outside = folder(t);
  writeFileSync(join(outside, 'tripwire'), 'untouched');
  mkdirSync(join(outside, 'd'));
  const store = new Store(t);
  const nodes = [
    link('out', outside),
    link('up', '../../..'),
    link('file', join(outside, 'tripwire')),
    directory('d'),
    file('tripwire', { parent: 4 }),
    node({ name: 'hard', type: 'hardlink', to: 5 }),
  ];
  const restored = await store.restore([cacheOf(nodes)], [wanted('/npm')], '/npm');
  assert.ok(restored, store.notices.join());
  assert.equal(readFileSync(join(outside, 'tripwire'), 'utf8'), 'untouched');
  assert.deepEqual(readdirSync(join(outside, 'd')), []);
  assert.ok(lstatSync(join(restored, 'out')).isSymbolicLink());
});

test('a pack that unpacks to more or less than it says is refused', async (t) => {
  const store = new Store(t);
  const bomb = Buffer.alloc(30 * 1024 * 1024);
  content.copy(bomb);
  for (const [pack, length] of [
    [bomb, 100],
    [content, 100],
  ] as const) {
    assert.equal(
      await store.restore([cacheOf([file('f')], { pack, length })], [wanted('/npm')], '/npm'),
      undefined,
    );
  }
  assert.match(store.notices[0] ?? '', /larger than 100 bytes/);
  assert.match(store.notices[1] ?? '', /a pack has not the length it must have/);
});

test('content that is not what its digest says is refused, also where the pack is whole', async (t) => {
  const store = new Store(t);
  const medium = cacheOf([file('f')], { chunk: sha256('something else') });
  assert.equal(await store.restore([medium], [wanted('/npm')], '/npm'), undefined);
  assert.match(store.notices.join(), /a chunk is not what the tree says/);
});

test('attributes that could mislead the store are not set; setuid is kept as it was saved', async (t) => {
  const store = new Store(t);
  const xattrs = ['trusted.overlay.opaque', 'user.overlay.redirect', 'user.fine'].map((name) => ({
    name,
    value: Buffer.from('y'),
  }));
  const restored = await store.restore(
    [cacheOf([file('f', { mode: 0o4755, xattrs })])],
    [wanted('/npm')],
    '/npm',
  );
  const { listXattrs, AT_FDCWD } = await import('@tsbuild/native');
  const path = join(restored ?? '', 'f');
  assert.deepEqual(
    listXattrs(AT_FDCWD, path).map(({ name }) => name),
    ['user.fine'],
  );
  assert.equal(lstatSync(path).mode & 0o7777, 0o4755);
});

test('a cache mount that is a link, or holds links, is saved without following them', async (t) => {
  const outside = folder(t);
  writeFileSync(join(outside, 'secret'), 'secret');
  const store = new Store(t);
  const path = await store.mount('/npm');
  symlinkSync(outside, join(path, 'out'));
  const medium = new MemoryMedium();
  await store.save(medium, [wanted('/npm')]);
  const two = new Store(t);
  const restored = await two.restore([medium], [wanted('/npm')], '/npm');
  assert.ok(lstatSync(join(restored ?? '', 'out')).isSymbolicLink());
  assert.equal(medium.uploaded.includes('pack'), false);
  assert.equal(existsSync(join(two.root, 'secret')), false);
});
