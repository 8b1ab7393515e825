import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, truncateSync, utimesSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { hexOf, sha256 } from '@tsbuild/core';
import type { CacheRecord, SnapshotId } from '@tsbuild/solver';
import { createStepCache } from '../../src/store/cache-store.js';
import { prepareStore } from '../../src/store/layout.js';
import { writeRecord } from '../../src/store/record-file.js';

const root = mkdtempSync(join(tmpdir(), 'tsbuild-cache-'));
prepareStore(root);
after(() => rmSync(root, { recursive: true }));
const warnings: string[] = [];
const cache = createStepCache(root, (message) => warnings.push(message));
const pathOf = (record: CacheRecord) => join(root, 'cache/steps', hexOf(record.key));

function record(name: string): CacheRecord {
  return {
    key: sha256(name),
    ref: {
      layers: [
        {
          snapshot: 'base' as SnapshotId,
          diffId: sha256('tar'),
          blob: { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: sha256('gz'), size: 5 },
        },
        { snapshot: 's-1' as SnapshotId, createdAt: '2026-01-02T03:04:05.123456789Z' },
      ],
    },
    createdAt: '2026-01-02T03:04:05Z',
    description: `RUN ${name}`,
  };
}

test('a record is found under its key and no other', async () => {
  const one = record('one');
  await cache.put(one);
  assert.deepEqual(await cache.get(one.key), one);
  assert.equal(await cache.get(sha256('two')), undefined);
  assert.deepEqual(warnings, []);
});

test('reading a record counts as use', async () => {
  const used = record('used');
  await cache.put(used);
  utimesSync(pathOf(used), 1000, 1000);
  await cache.get(used.key);
  assert.ok(statSync(pathOf(used)).mtimeMs > Date.now() - 60_000);
});

test('a damaged record is a miss with a warning, and the next put heals it', async () => {
  const hurt = record('hurt');
  await cache.put(hurt);
  truncateSync(pathOf(hurt), 80);
  assert.equal(await cache.get(hurt.key), undefined);
  assert.equal(warnings.length, 1);
  assert.match(warnings.pop() ?? '', /is damaged; the step runs again$/);
  await cache.put(hurt);
  assert.deepEqual(await cache.get(hurt.key), hurt);
});

test('a record of another shape, or under another key, is a miss', async () => {
  const wrong = record('wrong');
  const shapes: unknown[] = [
    null,
    7,
    {},
    { ...wrong, ref: {} },
    { ...wrong, ref: { layers: [{ snapshot: 1 }] } },
    { ...wrong, key: 'x' },
  ];
  for (const shape of shapes) {
    writeRecord(pathOf(wrong), shape);
    assert.equal(await cache.get(wrong.key), undefined);
  }
  writeRecord(pathOf(wrong), record('other'));
  assert.equal(await cache.get(wrong.key), undefined);
});

test('two builds that want the same key take turns', async () => {
  const { signal } = new AbortController();
  const key = sha256('busy');
  const first = await cache.lock(key, signal);
  let second = false;
  const waiting = cache.lock(key, signal).then((lock) => {
    second = true;
    lock.release();
  });
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(second, false);
  first.release();
  await waiting;
  assert.equal(second, true);
});
