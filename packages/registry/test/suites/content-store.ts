/** What every content store does; run over each implementation. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { sha256, type Digest } from '@tsbuild/core';
import type { ByteStream, ContentStore } from '../../src/api.js';
import { gather } from '../support/images.js';

export interface StoreUnderTest {
  store: ContentStore;
  close(): Promise<void>;
}

export function contentStoreSuite(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(name, () => {
    let opened: StoreUnderTest;
    let store: ContentStore;
    before(async () => {
      opened = await open();
      store = opened.store;
    });
    after(() => opened.close());

    const some = () => randomBytes(3000);
    async function* parts(bytes: Uint8Array): ByteStream {
      for (let at = 0; at < bytes.length; at += 700) yield bytes.subarray(at, at + 700);
    }

    test('keeps what it is given under its digest', async () => {
      const bytes = some();
      const digest = sha256(bytes);
      assert.equal(await store.has(digest), undefined);
      assert.deepEqual(await store.put(parts(bytes), {}), { digest, size: 3000 });
      assert.equal(await store.has(digest), 3000);
      assert.ok((await gather(store.open({ digest, size: 3000 }))).equals(bytes));
      assert.ok((await store.read({ digest, size: 3000 })).equals(bytes));
    });

    test('keeps the empty blob', async () => {
      const stored = await store.putBytes(new Uint8Array(0));
      assert.equal(await store.has(stored.digest), 0);
      assert.equal((await gather(store.open(stored))).length, 0);
    });

    test('refuses bytes that are not what was promised, and keeps none of them', async () => {
      const bytes = some();
      const digest = sha256(bytes);
      const other = sha256('other');
      await assert.rejects(store.put(parts(bytes), { digest: other }), { code: 'TSB_INTEGRITY_DIGEST' });
      await assert.rejects(store.put(parts(bytes), { digest, size: 2999 }), { code: 'TSB_INTEGRITY_SIZE' });
      await assert.rejects(store.put(parts(bytes), { digest, size: 3001 }), { code: 'TSB_INTEGRITY_SIZE' });
      assert.equal(await store.has(digest), undefined);
      assert.equal(await store.has(other), undefined);
    });

    test('a source that fails leaves nothing', async () => {
      const bytes = some();
      async function* failing(): ByteStream {
        yield bytes.subarray(0, 10);
        throw new Error('gone');
      }
      const before = await digests(store);
      await assert.rejects(store.put(failing(), { digest: sha256(bytes), size: 3000 }), /gone/);
      assert.deepEqual(await digests(store), before);
    });

    test('an abort ends a put with its reason and leaves nothing', async () => {
      const bytes = some();
      const stop = new AbortController();
      async function* endless(): ByteStream {
        for (let n = 0; ; n += 1) {
          if (n === 2) stop.abort(new Error('enough'));
          yield bytes;
        }
      }
      const before = await digests(store);
      await assert.rejects(store.put(endless(), {}, stop.signal), /enough/);
      assert.deepEqual(await digests(store), before);
    });

    test('putting what is there is no error, from many at once neither', async () => {
      const bytes = some();
      const digest = sha256(bytes);
      await Promise.all(Array.from({ length: 8 }, () => store.put(parts(bytes), { digest, size: 3000 })));
      assert.deepEqual(await store.putBytes(bytes), { digest, size: 3000 });
      assert.equal((await digests(store)).filter((one) => one === digest).length, 1);
    });

    test('a missing blob is said to be missing, a wrong size is a wrong size', async () => {
      const digest = sha256('never stored');
      await assert.rejects(store.read({ digest, size: 1 }), { code: 'TSB_STORE_BLOB_MISSING' });
      await assert.rejects(gather(store.open({ digest, size: 1 })), { code: 'TSB_STORE_BLOB_MISSING' });
      const stored = await store.putBytes(some());
      await assert.rejects(gather(store.open({ ...stored, size: 2000 })), { code: 'TSB_INTEGRITY_SIZE' });
      await assert.rejects(store.read({ ...stored, size: 4000 }), { code: 'TSB_INTEGRITY_SIZE' });
    });

    test('removes, and lists what is left', async () => {
      const [one, two] = [await store.putBytes(some()), await store.putBytes(some())];
      await store.remove(one.digest);
      await store.remove(one.digest);
      const left = await digests(store);
      assert.ok(!left.includes(one.digest));
      assert.ok(left.includes(two.digest));
      for await (const { size, mtimeMs } of store.list()) {
        assert.ok(size >= 0);
        assert.ok(Math.abs(Date.now() - mtimeMs) < 60_000);
      }
    });
  });
}

async function digests(store: ContentStore): Promise<Digest[]> {
  const all: Digest[] = [];
  for await (const { digest } of store.list()) all.push(digest);
  return all.sort();
}
