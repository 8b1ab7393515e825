import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hexOf, mediaTypes, sha256 } from '@tsbuild/core';
import { openContentStore, removeStaleIngest } from '../src/content/disk.js';
import { createMemoryContentStore, createMemoryTagStore } from '../src/content/memory.js';
import { openTagStore, type Lock } from '../src/content/tags.js';
import { validateImage } from '../src/content/validate.js';
import { contentStoreSuite } from './suites/content-store.js';
import { tagStoreSuite } from './suites/tag-store.js';
import { gather, makeImage, putJson } from './support/images.js';
import { noSkopeo } from './support/registry.js';

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'tsbuild-content-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** One after another within this process. */
function queue(): Lock {
  let last: Promise<unknown> = Promise.resolve();
  return (_name, work) => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };
}

const signal = AbortSignal.timeout(60_000);

contentStoreSuite('content in memory', async () => ({
  store: createMemoryContentStore(),
  close: async () => undefined,
}));
contentStoreSuite('content on disk', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tsbuild-content-'));
  return { store: await openContentStore(folder), close: () => rm(folder, { recursive: true }) };
});
tagStoreSuite('tags in memory', async () => ({ tags: createMemoryTagStore(), close: async () => undefined }));
tagStoreSuite('tags in index.json', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tsbuild-content-'));
  return { tags: openTagStore(folder, { lock: queue() }), close: () => rm(folder, { recursive: true }) };
});

test('nothing is left in ingest after good and bad puts', async () => {
  await inFolder(async (folder) => {
    const store = await openContentStore(folder);
    await store.putBytes(Buffer.from('good'));
    await assert.rejects(store.put([Buffer.from('bad')] as never, { digest: sha256('other') }));
    assert.deepEqual(await readdir(join(folder, 'ingest')), []);
  });
});

test('a blob cut short or changed on disk is found out, and put again in place', async () => {
  await inFolder(async (folder) => {
    const store = await openContentStore(folder);
    const bytes = Buffer.from('some bytes');
    const stored = await store.putBytes(bytes);
    const path = join(folder, 'blobs/sha256', hexOf(stored.digest));
    await truncate(path, 3);
    await assert.rejects(gather(store.open(stored)), { code: 'TSB_INTEGRITY_SIZE' });
    await store.putBytes(bytes);
    assert.ok((await store.read(stored)).equals(bytes));
    await writeFile(path, 'SOME BYTES');
    await assert.rejects(gather(store.open(stored)), { code: 'TSB_INTEGRITY_DIGEST' });
    assert.equal(await store.has(stored.digest), undefined, 'what is damaged is removed');
    await store.putBytes(bytes);
    await writeFile(path, 'SOME BYTES');
    await assert.rejects(store.read(stored), { code: 'TSB_INTEGRITY_DIGEST' });
    await store.putBytes(bytes);
    await writeFile(path, 'SOME BYTES');
    await store.putBytes(bytes);
    await assert.rejects(gather(store.open({ ...stored, size: 3 })), { code: 'TSB_INTEGRITY_SIZE' });
    assert.ok((await store.read(stored)).equals(bytes), 'a wrong size of a caller removes nothing');
  });
});

test('what crashed writers left is removed when it is old, and only then', async () => {
  await inFolder(async (folder) => {
    await openContentStore(folder);
    for (const name of ['old', 'new']) await writeFile(join(folder, 'ingest', name), 'xyz');
    await utimes(join(folder, 'ingest/old'), 0, 0);
    assert.equal(await removeStaleIngest(folder, 3_600_000), 3);
    assert.deepEqual(await readdir(join(folder, 'ingest')), ['new']);
  });
});

test('the store is an OCI layout that skopeo reads by name', { skip: noSkopeo }, async () => {
  await inFolder(async (folder) => {
    const store = await openContentStore(folder);
    const image = await makeImage(store);
    await openTagStore(folder, { lock: queue() }).set('app:1', image.descriptor);
    const seen = spawnSync('skopeo', ['inspect', `oci:${folder}:docker.io/library/app:1`], {
      encoding: 'utf8',
    });
    assert.equal(seen.status, 0, seen.stderr);
    assert.equal(JSON.parse(seen.stdout).Digest, image.descriptor.digest);
  });
});

test('entries of other tools and unknown members of index.json are kept', async () => {
  await inFolder(async (folder) => {
    const foreign = {
      mediaType: mediaTypes.ociManifest,
      digest: sha256('x'),
      size: 1,
      annotations: { other: 'tool' },
    };
    const path = join(folder, 'index.json');
    await writeFile(path, JSON.stringify({ schemaVersion: 2, manifests: [foreign], extra: 1 }));
    const tags = openTagStore(folder, { lock: queue() });
    assert.deepEqual(await tags.list(), []);
    await tags.set('app', { mediaType: mediaTypes.ociManifest, digest: sha256('y'), size: 1 });
    await tags.delete('app');
    assert.deepEqual(JSON.parse(await readFile(path, 'utf8')), {
      schemaVersion: 2,
      manifests: [foreign],
      extra: 1,
    });
  });
});

test('a damaged index.json is an error that says what to do, never an empty list', async () => {
  await inFolder(async (folder) => {
    await writeFile(join(folder, 'index.json'), '{"manifests": [');
    const tags = openTagStore(folder, { lock: queue() });
    await assert.rejects(tags.list(), { code: 'TSB_STORE_BAD_INDEX' });
    await assert.rejects(tags.set('a', { mediaType: 'x', digest: sha256('y'), size: 1 }), {
      code: 'TSB_STORE_BAD_INDEX',
    });
  });
});

test('names are taken from their copy where index.json is damaged or gone, and a name that was deleted stays so', async () => {
  await inFolder(async (folder) => {
    const store = await openContentStore(folder);
    const image = await store.putBytes(Buffer.from('an image'));
    const descriptor = { mediaType: mediaTypes.ociManifest, ...image };
    const path = join(folder, 'index.json');
    const warnings: string[] = [];
    const tags = openTagStore(folder, { lock: queue(), warn: (message) => warnings.push(message) });
    for (const name of ['one', 'two', 'three']) await tags.set(name, descriptor);
    await tags.delete('two');
    const names = async () => (await tags.list()).map(({ name }) => name.replace(/^.*\//, ''));
    assert.deepEqual(await names(), ['one:latest', 'three:latest']);
    assert.deepEqual(warnings, []);
    const whole = await readFile(path, 'utf8');
    const damages = [
      undefined,
      '',
      whole.slice(0, 99),
      whole.replaceAll('one:', 'onf:'),
      whole.replaceAll('sha256:', 'sha256:0'),
    ];
    for (const text of damages) {
      if (text === undefined) await rm(path);
      else await writeFile(path, text);
      warnings.length = 0;
      assert.ok((await names()).includes('one:latest') && (await names()).includes('three:latest'), text);
      assert.ok(warnings.length > 0, text);
      await tags.rewrite();
      warnings.length = 0;
      await names();
      assert.deepEqual(warnings, []);
    }
    // Another tool's work is no damage.
    const before = await names();
    await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')), extra: 1 }));
    warnings.length = 0;
    assert.deepEqual(await names(), before);
    assert.deepEqual(warnings, []);
  });
});

test('an image is held against all it promises', async () => {
  const store = createMemoryContentStore();
  const image = await makeImage(store, { sizes: [10, 20] });
  assert.deepEqual(await validateImage(store, image.descriptor, signal), []);
  const config = JSON.parse((await store.read(image.config)).toString());
  config.rootfs.diff_ids[1] = sha256('other');
  const wrong = await putJson(store, mediaTypes.ociConfig, config);
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: wrong,
    layers: image.layers,
  };
  const problems = await validateImage(store, await putJson(store, mediaTypes.ociManifest, manifest), signal);
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? '', /^layer sha256:\w+ unpacks to sha256:\w+, the config says sha256:/);
  await store.remove(image.layers[0]!.digest);
  assert.match((await validateImage(store, image.descriptor, signal))[0] ?? '', /is not in the store/);
});
