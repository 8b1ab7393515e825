import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  closeSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Digest, sha256 } from '@tsbuild/core';
import * as native from '@tsbuild/native';
import { fetchIndex } from '../../../src/remote-cache/mounts/fetch.js';
import { mountsType } from '../../../src/remote-cache/mounts/media-types.js';
import { chunkBytes } from '../../../src/remote-cache/mounts/tree.js';
import { MemoryMedium, never, Store, wanted } from './fixture.js';

/** Everything below a folder that a mount keeps, by path; hard links as groups. */
async function describe(path: string): Promise<unknown> {
  const fd = native.openat2(native.AT_FDCWD, path, native.constants.O_RDONLY, 0, 0);
  try {
    const entries = await native.walk(fd, '', { xattrs: true });
    const root: native.WalkEntry = {
      ...native.stat(fd, ''),
      path: Buffer.alloc(0),
      xattrs: native.listXattrs(fd, ''),
    };
    const first = new Map<bigint, string>();
    return [root, ...entries].map((entry) => {
      const name = entry.path.toString('latin1');
      const { mode, uid, gid, mtimeNs, ino, nlink } = entry;
      const isFile = (mode & native.constants.S_IFMT) === native.constants.S_IFREG;
      if (!first.has(ino)) first.set(ino, name);
      return {
        name,
        mode,
        uid,
        gid,
        mtimeNs,
        xattrs: entry.xattrs,
        link: entry.link?.toString('latin1'),
        ...(isFile && {
          nlink,
          same: first.get(ino),
          digest: sha256(readFileSync(Buffer.concat([Buffer.from(`${path}/`), entry.path]))),
        }),
      };
    });
  } finally {
    native.close(fd);
  }
}

function fill(path: string): void {
  const at = (name: string) => join(path, name);
  mkdirSync(at('deep/er/still'), { recursive: true });
  writeFileSync(at('plain'), 'plain\n');
  writeFileSync(at('empty'), '');
  writeFileSync(at('deep/er/still/copy'), 'plain\n');
  writeFileSync(at('large'), Buffer.alloc(chunkBytes * 2 + 777, 'large'));
  writeFileSync(Buffer.concat([Buffer.from(`${path}/`), Buffer.from([0xff, 0x0a, 0x20])]), 'bytes');
  linkSync(at('plain'), at('deep/linked'));
  symlinkSync('/etc/passwd', at('absolute'));
  symlinkSync('../../..', at('deep/up'));
  writeFileSync(at('tool'), '#!/bin/sh\n');
  chownSync(at('tool'), 1000, 50);
  chmodSync(at('tool'), 0o6711);
  native.mknodat(native.AT_FDCWD, at('pipe'), native.constants.S_IFIFO | 0o640, 0, 0);
  native.mknodat(native.AT_FDCWD, at('null'), native.constants.S_IFCHR | 0o666, 1, 3);
  const sparse = openSync(at('sparse'), 'w');
  writeSync(sparse, 'end', chunkBytes * 3);
  closeSync(sparse);
  truncateSync(at('sparse'), chunkBytes * 4);
  native.setXattr(native.AT_FDCWD, at('plain'), 'user.note', Buffer.from([0, 1, 2]));
  chmodSync(at('deep/er'), 0o700);
  lutimesSync(at('absolute'), 1, 1_234_567);
  utimesSync(at('tool'), 1, 1_600_000_000.125);
  utimesSync(at('deep/er'), 1, 1_500_000_000);
  chownSync(path, 7, 8);
  chmodSync(path, 0o1777);
  utimesSync(path, 1, 1_400_000_000);
}

test('a mount comes back with names, content, modes, owners, times, links, attributes and holes', async (t) => {
  const medium = new MemoryMedium();
  const one = new Store(t);
  const path = await one.mount('/npm');
  fill(path);
  await one.save(medium, [wanted('/npm')]);
  rmSync(join(path, 'null'));
  utimesSync(path, 1, 1_400_000_000);

  const two = new Store(t);
  const restored = await two.restore([medium], [wanted('/npm')], '/npm');
  assert.ok(restored, two.notices.join());
  assert.deepEqual(await describe(restored), await describe(path));
  assert.ok(statSync(join(restored, 'sparse')).blocks * 512 < chunkBytes, 'holes stay holes');
  assert.match(two.notices.join(), /^cache mount npm: restored .* MB in 14 files from type=memory, saved 20/);
});

test('what did not change is not saved again, and makes the same bytes in another store', async (t) => {
  const medium = new MemoryMedium();
  const one = new Store(t);
  const path = await one.mount('/npm');
  fill(path);
  await one.save(medium, [wanted('/npm')]);
  assert.deepEqual(medium.uploaded, ['pack', 'pack', 'pack', 'tree', 'mounts']);
  const document = medium.document;
  await one.save(medium, [wanted('/npm')]);
  assert.deepEqual(medium.uploaded, []);
  assert.deepEqual(medium.document?.blobs, document?.blobs);

  const other = new MemoryMedium();
  await one.save(other, [wanted('/npm')]);
  const blobs = (it: MemoryMedium) => it.document?.blobs.filter(({ mediaType }) => mediaType !== mountsType);
  assert.deepEqual(blobs(other), blobs(medium));
});

function manyFiles(path: string, count: number, bytes: number): void {
  for (let i = 0; i < count; i++) {
    const folder = join(path, String(i % 40));
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `file${i}`), noise(i, bytes));
  }
}

/** Data that does not compress, another for each number. */
function noise(seed: number, bytes: number): Buffer {
  const data = Buffer.alloc(bytes);
  for (let i = 0, state = seed * 2654435761 + 1; i < bytes; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = state >>> 24;
  }
  return data;
}

test('one changed file of 2,000: one small pack and the tree are uploaded', async (t) => {
  const medium = new MemoryMedium();
  const store = new Store(t);
  const path = await store.mount('/npm');
  manyFiles(path, 2000, 16_000);
  await store.save(medium, [wanted('/npm')]);
  assert.deepEqual(medium.uploaded.filter((kind) => kind === 'pack').length, 4);
  const first = medium.bytesUploaded;
  appendFileSync(join(path, '7', 'file7'), 'changed');
  await store.save(medium, [wanted('/npm')]);
  assert.deepEqual(medium.uploaded, ['pack', 'tree', 'mounts']);
  assert.ok(medium.bytesUploaded < first / 50, `${medium.bytesUploaded} of ${first} bytes`);

  const two = new Store(t);
  const restored = await two.restore([medium], [wanted('/npm')], '/npm');
  assert.deepEqual(await describe(restored ?? ''), await describe(path));
});

test('equal files are stored once', async (t) => {
  const medium = new MemoryMedium();
  const store = new Store(t);
  const path = await store.mount('/npm');
  const data = noise(1, 1_000_000);
  for (let i = 0; i < 50; i++) writeFileSync(join(path, `copy${i}`), data);
  await store.save(medium, [wanted('/npm')]);
  assert.ok(medium.bytesUploaded < 1_100_000, String(medium.bytesUploaded));
});

test('a pack of which most is dead is written anew', async (t) => {
  const medium = new MemoryMedium();
  const store = new Store(t);
  const path = await store.mount('/npm');
  for (let i = 0; i < 8; i++) writeFileSync(join(path, `file${i}`), noise(i, 500_000));
  await store.save(medium, [wanted('/npm')]);
  const before = packsOf(medium);
  for (let i = 0; i < 6; i++) rmSync(join(path, `file${i}`));
  await store.save(medium, [wanted('/npm')]);
  assert.deepEqual(medium.uploaded, ['pack', 'tree', 'mounts']);
  const after = packsOf(medium);
  assert.equal(after.length, 1);
  assert.notDeepEqual(after, before);
});

test('many small packs become few', async (t) => {
  const medium = new MemoryMedium();
  const store = new Store(t);
  const path = await store.mount('/npm');
  let most = 0;
  for (let i = 0; i < 20; i++) {
    writeFileSync(join(path, `file${i}`), noise(i, 5000));
    await store.save(medium, [wanted('/npm')]);
    most = Math.max(most, packsOf(medium).length);
  }
  assert.equal(most, 17);
  assert.ok(packsOf(medium).length < 5);
});

function packsOf(medium: MemoryMedium): Digest[] {
  const blobs = medium.document?.blobs ?? [];
  return blobs.filter(({ mediaType }) => mediaType.includes('.pack.')).map(({ digest }) => digest);
}

test('keys: the save under the same key, else the newest; a key that is there is not saved again', async (t) => {
  const medium = new MemoryMedium();
  const store = new Store(t);
  const path = await store.mount('/npm');
  const content = join(path, 'content');
  for (const key of ['a', 'b']) {
    writeFileSync(content, key);
    await store.save(medium, [wanted('/npm', key)]);
  }
  writeFileSync(content, 'changed');
  await store.save(medium, [wanted('/npm', 'b')]);
  assert.deepEqual(medium.uploaded, []);

  const restored = async (key?: string) => {
    const two = new Store(t);
    const directory = await two.restore([medium], [wanted('/npm', key)], '/npm');
    return [
      readFileSync(join(directory ?? '', 'content'), 'utf8'),
      /under this key/.exec(two.notices.join())?.index,
    ];
  };
  assert.deepEqual((await restored('a'))[0], 'a');
  assert.deepEqual((await restored('b'))[0], 'b');
  assert.deepEqual((await restored())[0], 'b');
  const three = new Store(t);
  const newest = await three.restore([medium], [wanted('/npm', 'c')], '/npm');
  assert.equal(readFileSync(join(newest ?? '', 'content'), 'utf8'), 'b');
  assert.match(three.notices.join(), /nothing was saved under this key; restored the newest instead/);
});

test('of several caches the first with the key is taken', async (t) => {
  const media = [new MemoryMedium(), new MemoryMedium(), new MemoryMedium()];
  for (const [index, key] of ['other', 'key', 'key'].entries()) {
    const store = new Store(t);
    writeFileSync(join(await store.mount('/npm'), 'content'), String(index));
    await store.save(media[index] ?? new MemoryMedium(), [wanted('/npm', key)]);
  }
  const store = new Store(t);
  const directory = await store.restore(media, [wanted('/npm', 'key')], '/npm');
  assert.equal(readFileSync(join(directory ?? '', 'content'), 'utf8'), '1');
  assert.deepEqual(media[2]?.fetched, ['mounts']);
});

test('mounts that are not named are neither saved nor restored, and what a cache has of them stays', async (t) => {
  const medium = new MemoryMedium();
  const store = new Store(t);
  for (const id of ['/npm', '/pip']) writeFileSync(join(await store.mount(id), 'content'), id);
  await store.save(medium, [wanted('/npm')]);
  const before = medium.document?.blobs;
  await store.save(medium, []);
  assert.deepEqual(medium.document?.blobs, before);
  await store.save(medium, [wanted('/pip')]);
  const [index] = medium.document?.blobs ?? [];
  assert.ok(index);
  assert.deepEqual(
    (await fetchIndex(medium, index, { signal: never })).mounts.map(({ id }) => id),
    ['/npm', '/pip'],
  );
  medium.fetched = [];
  const two = new Store(t);
  assert.equal(await two.restore([medium], [wanted('/npm')], '/pip'), undefined);
  assert.deepEqual(medium.fetched, []);
  assert.ok(await two.restore([medium], [wanted('/npm')], '/npm'));
  assert.deepEqual(medium.fetched, ['mounts', 'tree', 'pack']);
});

test('a mount that the store does not have is nothing to save', async (t) => {
  const medium = new MemoryMedium();
  const store = new Store(t);
  await store.save(medium, [wanted('/npm')]);
  assert.deepEqual(medium.document?.blobs, []);
  assert.deepEqual(store.notices, []);
  assert.deepEqual(readdirSync(join(store.root, 'mounts')), []);
});

test('a mount beyond its limit is not saved and not restored, with a notice', async (t) => {
  const medium = new MemoryMedium();
  const store = new Store(t);
  writeFileSync(join(await store.mount('/npm'), 'content'), noise(1, 100_000));
  await store.save(medium, [{ ...wanted('/npm'), maxBytes: 50_000 }]);
  assert.match(
    store.notices.join(),
    /^cache mount npm: not saved to type=memory: it has 1\d+ bytes, more than the 50000/,
  );
  assert.deepEqual(medium.document?.blobs, []);
  await store.save(medium, [wanted('/npm')]);
  assert.equal(await store.restore([medium], [{ ...wanted('/npm'), maxBytes: 50_000 }], '/npm'), undefined);
  assert.match(store.notices.at(-1) ?? '', /not restored, it begins empty: it has 100000 bytes/);
});

test('a blob that is lost, cut or changed is a notice and no mount', async (t) => {
  const medium = new MemoryMedium();
  const store = new Store(t);
  writeFileSync(join(await store.mount('/npm'), 'content'), noise(1, 100_000));
  await store.save(medium, [wanted('/npm')]);
  for (const { digest } of medium.document?.blobs ?? []) {
    const good = medium.blobs.get(digest) ?? Buffer.alloc(0);
    const changed = Buffer.from(good);
    changed[20] = (changed[20] ?? 0) ^ 1;
    for (const bad of [undefined, good.subarray(0, -1), changed, Buffer.concat([good, Buffer.from('x')])]) {
      if (bad === undefined) medium.blobs.delete(digest);
      else medium.blobs.set(digest, bad);
      const two = new Store(t);
      assert.equal(await two.restore([medium], [wanted('/npm')], '/npm'), undefined);
      assert.match(two.notices.join(), /cannot be read|not restored, it begins empty/);
    }
    medium.blobs.set(digest, good);
  }
});

test('a pack that the medium has lost is packed again', async (t) => {
  const medium = new MemoryMedium();
  const store = new Store(t);
  const path = await store.mount('/npm');
  writeFileSync(join(path, 'content'), noise(1, 100_000));
  await store.save(medium, [wanted('/npm', 'a')]);
  const [pack] = packsOf(medium);
  medium.blobs.delete(pack ?? sha256(''));
  await store.save(medium, [wanted('/npm', 'b')]);
  assert.deepEqual(packsOf(medium), [pack]);
  assert.ok(await new Store(t).restore([medium], [wanted('/npm', 'b')], '/npm'));
});

test('saves whose blobs the medium has lost are left out of the next document, named or not', async (t) => {
  const medium = new MemoryMedium();
  const store = new Store(t);
  for (const id of ['/npm', '/pip']) writeFileSync(join(await store.mount(id), 'content'), id);
  await store.save(medium, [wanted('/npm'), wanted('/pip')]);
  const [, , pack] = medium.document?.blobs ?? [];
  assert.match(pack?.mediaType ?? '', /pack/);
  medium.blobs.delete(pack?.digest ?? sha256(''));
  await store.save(medium, []);
  const [index] = medium.document?.blobs ?? [];
  assert.ok(index);
  assert.deepEqual(
    (await fetchIndex(medium, index, { signal: never })).mounts.map(({ id }) => id),
    ['/pip'],
  );
  assert.match(store.notices.join(), /has lost blobs of earlier saves/);
});

test('a failed upload is a warning, and the cache keeps what it had', async (t) => {
  const medium = new MemoryMedium();
  const store = new Store(t);
  const path = await store.mount('/npm');
  writeFileSync(join(path, 'content'), noise(1, 100_000));
  await store.save(medium, [wanted('/npm')]);
  const before = medium.document?.blobs;
  writeFileSync(join(path, 'content'), noise(2, 20_000_000));
  medium.refuses = true;
  await store.save(medium, [wanted('/npm')]);
  assert.deepEqual(medium.document?.blobs, before);
  assert.match(store.notices.join(), /^cache mount npm: not saved to type=memory: the medium is full/);
  assert.deepEqual(readdirSync(join(store.root, 'tmp')), []);
});

test('a mount that a step has for itself is not waited for without end, and one that is shared is read', async (t) => {
  const store = new Store(t);
  const path = await store.mount('/npm');
  const lock = openSync(join(path, '../lock'), 'r');
  native.tryFlock(lock, native.constants.LOCK_SH);
  const held = await store.read('/npm');
  assert.ok(held !== undefined && held !== 'taken');
  held.release();
  native.tryFlock(lock, native.constants.LOCK_EX);
  assert.equal(await store.read('/npm'), 'taken');
  closeSync(lock);
  assert.equal(await store.read('/pip'), undefined);
});

test('an abort during a restore or a save throws', async (t) => {
  const medium = new MemoryMedium();
  const store = new Store(t);
  writeFileSync(join(await store.mount('/npm'), 'content'), 'x');
  await store.save(medium, [wanted('/npm', 'a')]);
  store.signal = AbortSignal.abort();
  await assert.rejects(store.save(medium, [wanted('/npm', 'b')]), { name: 'AbortError' });
  await assert.rejects(store.restore([medium], [wanted('/npm', 'b')], '/npm'), { name: 'AbortError' });
});
