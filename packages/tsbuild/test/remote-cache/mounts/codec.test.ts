import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Digest, sha256 } from '@tsbuild/core';
import fc from 'fast-check';
import { packTypes, mountsType, treeTypes } from '../../../src/remote-cache/mounts/media-types.js';
import {
  decodeIndex,
  encodeIndex,
  type SavedMount,
  withSaved,
} from '../../../src/remote-cache/mounts/index-document.js';
import {
  chunkBytes,
  type MountTree,
  type NodeContent,
  pieceLength,
  type TreeNode,
} from '../../../src/remote-cache/mounts/tree.js';
import { decodeTree, encodeTree } from '../../../src/remote-cache/mounts/tree-codec.js';

const damaged = { code: 'TSB_INTEGRITY_CACHE_MOUNT' };

/** With a prototype, as the codec's objects have one. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record<T>(model, { noNullPrototype: true });

const bytes = (min: number, max: number) =>
  fc.uint8Array({ minLength: min, maxLength: max }).map((array) => Buffer.from(array));
const digest = bytes(32, 32).map((hash) => `sha256:${hash.toString('hex')}` as Digest);
const name = bytes(1, 40).filter(
  (it) => !it.includes(0) && !it.includes(0x2f) && !['.', '..'].includes(it.toString('latin1')),
);
const attributes = record({
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: fc.integer({ min: 0, max: 0xfffffffe }),
  gid: fc.integer({ min: 0, max: 0xfffffffe }),
  mtimeNs: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  xattrs: fc.array(record({ name: fc.constantFrom('user.a', 'user.\xff'), value: bytes(0, 20) }), {
    maxLength: 3,
  }),
});

/** Trees whose files' pieces, parents and link targets fit the rest. */
const tree: fc.Arbitrary<MountTree> = record({
  packs: fc.array(
    record({
      mediaType: fc.constantFrom(...packTypes),
      digest,
      size: fc.integer({ min: 0, max: 9_000_000 }),
      length: fc.constant(2 * chunkBytes),
    }),
    { minLength: 1, maxLength: 4 },
  ),
  chunks: fc.array(record({ digest, length: fc.integer({ min: 1, max: chunkBytes }) }), {
    maxLength: 6,
  }),
  nodes: fc.array(
    record({
      name,
      attributes,
      type: fc.constantFrom('directory', 'file', 'symlink', 'hardlink', 'fifo'),
      pick: fc.nat(),
      sparse: fc.boolean(),
      target: bytes(1, 60).filter((it) => !it.includes(0)),
    }),
    { maxLength: 20 },
  ),
  root: attributes,
}).map(({ packs, chunks: drawn, nodes: drafts, root }) => {
  const chunks = drawn.map((chunk, i) => ({ ...chunk, pack: i % packs.length, offset: i }));
  const nodes: TreeNode[] = [{ parent: 0, name: Buffer.alloc(0), ...root, type: 'directory' }];
  const of = (type: string) => [...nodes.keys()].filter((i) => nodes[i]?.type === type);
  const pickFrom = (list: number[], pick: number) => list[pick % Math.max(1, list.length)];
  for (const draft of drafts) {
    const parent = pickFrom(of('directory'), draft.pick) ?? 0;
    const at = { parent, name: draft.name, ...draft.attributes };
    const chunk = pickFrom([...chunks.keys()], draft.pick);
    const link = pickFrom(of('file'), draft.pick);
    let content: NodeContent;
    if (draft.type === 'symlink') content = { type: 'symlink', target: draft.target };
    else if (draft.type === 'hardlink' && link !== undefined) content = { type: 'hardlink', to: link };
    else if (draft.type === 'file' && chunk !== undefined) {
      const { sparse } = draft;
      const size = (sparse ? chunkBytes : 0) + (chunks[chunk]?.length ?? 0);
      content = { type: 'file', size, sparse, pieces: sparse ? [undefined, chunk] : [chunk] };
    } else if (draft.type === 'file') content = { type: 'file', size: 0, sparse: false, pieces: [] };
    else content = { type: draft.type === 'fifo' ? 'fifo' : 'directory' };
    const { mode, uid, gid, mtimeNs, xattrs } = nodes[content.type === 'hardlink' ? content.to : 0] ?? at;
    nodes.push({
      ...at,
      ...(content.type === 'hardlink' && { mode, uid, gid, mtimeNs, xattrs }),
      ...content,
    });
  }
  return { packs, chunks, nodes };
});

test('a tree comes back as it was, and has one encoding', () => {
  fc.assert(
    fc.property(tree, (value) => {
      const encoded = encodeTree(value);
      const decoded = decodeTree(encoded);
      assert.deepEqual(decoded, value);
      assert.deepEqual(encodeTree(decoded), encoded);
    }),
    { numRuns: 200 },
  );
});

test('a tree that was cut or changed is refused or means something else, and never breaks the reader', () => {
  fc.assert(
    fc.property(tree, fc.nat(), fc.nat(255), fc.boolean(), (value, place, byte, cuts) => {
      const encoded = Buffer.from(encodeTree(value));
      const at = place % encoded.length;
      const changed = cuts ? encoded.subarray(0, at) : encoded;
      if (!cuts) changed[at] = byte;
      try {
        assert.deepEqual(encodeTree(decodeTree(changed)), changed);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'TSB_INTEGRITY_CACHE_MOUNT', String(error));
      }
    }),
    { numRuns: 500 },
  );
});

const plain = { mode: 0o644, uid: 0, gid: 0, mtimeNs: 0n, xattrs: [] };
const root: TreeNode = { parent: 0, name: Buffer.alloc(0), ...plain, type: 'directory' };
const pack = { mediaType: packTypes[0] ?? '', digest: sha256('p'), size: 10, length: 100 };
const chunk = { digest: sha256('c'), pack: 0, offset: 0, length: 5 };
const file = (more: object): TreeNode =>
  ({
    parent: 0,
    name: Buffer.from('f'),
    ...plain,
    type: 'file',
    size: 5,
    sparse: false,
    pieces: [0],
    ...more,
  }) as TreeNode;
const with1 = (node: TreeNode): MountTree => ({ packs: [pack], chunks: [chunk], nodes: [root, node] });

const hostile: Record<string, MountTree> = {
  'no root': { packs: [], chunks: [], nodes: [] },
  'a root that is a link': {
    packs: [],
    chunks: [],
    nodes: [{ parent: 0, name: Buffer.alloc(0), ...plain, type: 'symlink', target: Buffer.from('/etc') }],
  },
  'a root with a name': { packs: [], chunks: [], nodes: [{ ...root, name: Buffer.from('x') }] },
  'two dots': with1(file({ name: Buffer.from('..') })),
  'one dot': with1(file({ name: Buffer.from('.') })),
  'a slash in a name': with1(file({ name: Buffer.from('a/b') })),
  'an absolute name': with1(file({ name: Buffer.from('/etc') })),
  'a zero byte in a name': with1(file({ name: Buffer.from('a\0b') })),
  'no name': with1(file({ name: Buffer.alloc(0) })),
  'a name that is too long': with1(file({ name: Buffer.alloc(256, 'a') })),
  'a parent that comes later': with1(file({ parent: 2 })),
  'a parent that is itself': with1(file({ parent: 1 })),
  'a parent that is a link': {
    packs: [],
    chunks: [],
    nodes: [
      root,
      { parent: 0, name: Buffer.from('l'), ...plain, type: 'symlink', target: Buffer.from('/') },
      { parent: 1, name: Buffer.from('x'), ...plain, type: 'fifo' },
    ],
  },
  'a hard link to a directory': with1({
    parent: 0,
    name: Buffer.from('h'),
    ...plain,
    type: 'hardlink',
    to: 0,
  }),
  'a hard link to what comes later': with1({
    parent: 0,
    name: Buffer.from('h'),
    ...plain,
    type: 'hardlink',
    to: 1,
  }),
  'more than permission bits': with1(file({ mode: 0o10644 })),
  'the user -1': with1(file({ uid: 0xffffffff })),
  'a piece that is no chunk': with1(file({ pieces: [1] })),
  'a piece of another length': with1(file({ size: 6 })),
  'a hole in a file that has none': with1(file({ pieces: [undefined] })),
  'a file that is too large': with1(file({ size: 2 ** 41, sparse: true, pieces: [] })),
  'a chunk beyond its pack': { packs: [pack], chunks: [{ ...chunk, offset: 96 }], nodes: [root] },
  'a chunk of no pack': { packs: [pack], chunks: [{ ...chunk, pack: 1 }], nodes: [root] },
  'an empty chunk': { packs: [pack], chunks: [{ ...chunk, length: 0 }], nodes: [root] },
  'a pack that is too large': { packs: [{ ...pack, length: 2 ** 30 }], chunks: [], nodes: [root] },
  'an empty link': with1({
    parent: 0,
    name: Buffer.from('l'),
    ...plain,
    type: 'symlink',
    target: Buffer.alloc(0),
  }),
  'an attribute without a name': with1(file({ xattrs: [{ name: '', value: Buffer.alloc(0) }] })),
  'a path that is too long': {
    packs: [],
    chunks: [],
    nodes: [
      root,
      ...Array.from({ length: 20 }, (_, i) => ({ ...root, parent: i, name: Buffer.alloc(255, 'a') })),
    ],
  },
};

for (const [what, value] of Object.entries(hostile)) {
  test(`a tree is refused that has ${what}`, () => {
    assert.throws(() => decodeTree(Buffer.from(encodeTree(value))), damaged);
  });
}

test('counts that promise more than there is are refused before memory is taken', () => {
  const start = Buffer.from('tsbuild mount tree 1\n');
  for (const rest of ['ffffffffffffff7f', '000000ff7f', '0000ffff3f', '8000']) {
    assert.throws(() => decodeTree(Buffer.concat([start, Buffer.from(rest, 'hex')])), damaged, rest);
  }
  assert.throws(() => decodeTree(Buffer.from('something else, not a tree')), damaged);
  const whole = encodeTree({ packs: [], chunks: [], nodes: [root] });
  assert.throws(() => decodeTree(Buffer.concat([whole, Buffer.from([0])])), damaged);
});

test('pieces of a file', () => {
  assert.equal(pieceLength(chunkBytes, 0), chunkBytes);
  assert.equal(pieceLength(chunkBytes + 1, 1), 1);
});

function saved(id: string, key: string | undefined, created: string): SavedMount {
  const blob = (mediaType: string, text: string) => ({ mediaType, digest: sha256(text), size: 5 });
  return {
    id,
    ...(key === undefined ? {} : { key: sha256(key) }),
    created,
    size: 1,
    files: 1,
    tree: blob(treeTypes[0] ?? '', `${id}${key}`),
    packs: [blob(packTypes[1] ?? '', 'pack')],
  };
}

test('an index comes back as it was', () => {
  const index = {
    mounts: [
      saved('npm', 'lock', '2026-01-02T03:04:05.678Z'),
      saved('/go', undefined, '2026-01-02T03:04:05Z'),
    ],
  };
  assert.deepEqual(decodeIndex(encodeIndex(index)), index);
});

test('an index keeps five saves of a mount and one for each key', () => {
  let index = { mounts: [saved('pip', undefined, '2020-01-01T00:00:00Z')] };
  for (let day = 1; day <= 7; day++) {
    index = withSaved(index, saved('npm', `lock${day}`, `2026-01-0${day}T00:00:00Z`));
  }
  index = withSaved(index, saved('npm', 'lock6', '2026-01-08T00:00:00Z'));
  assert.deepEqual(
    index.mounts.map(({ id, key }) => [id, key]),
    [...[6, 7, 5, 4, 3].map((day) => ['npm', sha256(`lock${day}`)]), ['pip', undefined]],
  );
});

test('an index that is not one is refused', () => {
  const good = JSON.parse(encodeIndex({ mounts: [saved('npm', 'lock', '2026-01-02T03:04:05Z')] }).toString());
  const [mount] = good.mounts;
  const bad: unknown[] = [
    null,
    [],
    {},
    { mediaType: mountsType },
    { mediaType: mountsType, mounts: {} },
    { mediaType: mountsType, mounts: [null] },
    { mediaType: mountsType, mounts: Array(1001).fill(mount) },
    ...Object.entries({
      id: 5,
      key: 'sha256:short',
      created: 'yesterday',
      size: -1,
      files: 1.5,
      tree: { ...mount.tree, mediaType: 'application/vnd.oci.image.layer.v1.tar' },
      packs: [{ ...mount.packs[0], size: 2 ** 30 }],
    }).map(([name, value]) => ({ ...good, mounts: [{ ...mount, [name]: value }] })),
  ];
  for (const value of bad) {
    assert.throws(
      () => decodeIndex(Buffer.from(JSON.stringify(value))),
      damaged,
      JSON.stringify(value).slice(0, 200),
    );
  }
  assert.throws(() => decodeIndex(Buffer.from('{')), damaged);
});
