/** The index of a shared cache: what is found in it, and what is refused of a document from outside. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chainId, type Descriptor, type Digest, sha256 } from '@tsbuild/core';
import { snapshotIdOf } from '@tsbuild/executor';
import { type CacheIndexDocument, readCacheIndex } from '../../src/remote-cache/cache-index.js';

const digest = (text: string): Digest => sha256(text);
const blob = (text: string): Descriptor => ({
  mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
  digest: digest(`blob of ${text}`),
  size: text.length,
});
const time = '2026-11-25T12:00:00.123456789Z';

const good: CacheIndexDocument = {
  version: 1,
  layers: [
    { diffId: digest('base'), blob: blob('base') },
    { diffId: digest('one'), blob: blob('one'), parent: 0, createdAt: time },
    { diffId: digest('alone'), blob: blob('alone'), createdAt: time },
  ],
  records: [
    { key: digest('key'), layer: 1, createdAt: time, description: 'RUN one' },
    { key: digest('empty'), createdAt: time, description: 'nothing' },
  ],
  contents: { [digest('content key')]: digest('content') },
};

const read = (document: unknown) => readCacheIndex(Buffer.from(JSON.stringify(document)));

test('a record is its chain of layers, bottom first, marked with the cache', () => {
  const index = read(good);
  assert.deepEqual(index.record(digest('key'), 'the cache'), {
    key: digest('key'),
    createdAt: time,
    description: 'RUN one',
    ref: {
      layers: [
        {
          snapshot: snapshotIdOf([digest('base')]),
          diffId: digest('base'),
          blob: blob('base'),
          imported: ['the cache'],
        },
        {
          snapshot: snapshotIdOf([digest('base'), digest('one')]),
          diffId: digest('one'),
          blob: blob('one'),
          imported: ['the cache'],
          createdAt: time,
        },
      ],
    },
  });
  assert.equal(chainId([digest('base')]), digest('base'));
  assert.deepEqual(index.record(digest('empty'), 'the cache')?.ref, { layers: [] });
  assert.equal(index.record(digest('other'), 'the cache'), undefined);
  assert.equal(index.content(digest('content key')), digest('content'));
  assert.equal(index.content(digest('other')), undefined);
  assert.deepEqual([...index.blobs()], [blob('base'), blob('one'), blob('alone')]);
});

test('blobs that the document leaves out come from the image, or the record is none', () => {
  const bare = { ...good, layers: good.layers.map(({ blob: _blob, ...node }) => node) };
  const bytes = Buffer.from(JSON.stringify(bare));
  const known = readCacheIndex(bytes, (diffId) => (diffId === digest('base') ? blob('base') : undefined));
  assert.equal(known.record(digest('key'), 'c'), undefined);
  const all = readCacheIndex(bytes, () => blob('any'));
  assert.equal(all.record(digest('key'), 'c')?.ref.layers.length, 2);
});

test('a name of an object is no content key', () => {
  assert.equal(read(good).content('constructor' as Digest), undefined);
});

const [base, one] = good.layers;
const [record] = good.records;
const wrong: [name: string, document: unknown, message: RegExp][] = [
  ['no object', [], /another version/],
  ['another version', { ...good, version: 2 }, /another version/],
  ['no layers', { ...good, layers: undefined }, /a part is missing/],
  ['contents as a list', { ...good, contents: [] }, /a part is missing/],
  ['a layer without digest', { ...good, layers: [{}] }, /layer 0 has no digest/],
  ['a layer below itself', { ...good, layers: [base, { ...one, parent: 1 }] }, /layer 1 has a wrong parent/],
  ['a parent that comes later', { ...good, layers: [{ ...base, parent: 1 }, one] }, /layer 0 has a wrong/],
  ['a parent that is no index', { ...good, layers: [base, { ...one, parent: 0.5 }] }, /layer 1 has a wrong/],
  ['a negative size', { ...good, layers: [{ ...base, blob: { ...blob('x'), size: -1 } }] }, /a wrong blob/],
  ['a path as digest', { ...good, layers: [{ diffId: 'sha256:../../etc/passwd' }] }, /has no digest/],
  ['a time that is none', { ...good, layers: [{ ...base, createdAt: 'now' }] }, /a wrong time/],
  ['a record without key', { ...good, records: [{ ...record, key: 'x' }] }, /a record has no key/],
  ['a record of no layer', { ...good, records: [{ ...record, layer: 3 }] }, /has a wrong layer/],
  ['a record without name', { ...good, records: [{ ...record, description: 1 }] }, /lacks its time/],
  ['a content key that is none', { ...good, contents: { x: digest('y') } }, /a content digest is wrong/],
  ['a content digest that is none', { ...good, contents: { [digest('x')]: 1 } }, /a content digest is wrong/],
];

for (const [name, document, message] of wrong) {
  test(`refused: ${name}`, () => {
    assert.throws(() => read(document), { code: 'TSB_CACHE_DOCUMENT', message });
  });
}

test('refused: what is no JSON, or no text', () => {
  for (const bytes of [Buffer.from('{'), Buffer.from([0xff, 0xfe])])
    assert.throws(() => readCacheIndex(bytes), { code: 'TSB_CACHE_DOCUMENT', message: /is no JSON/ });
});
