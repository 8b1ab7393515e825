import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { hexOf, mediaTypes, sha256, type TsbuildError } from '@tsbuild/core';
import type { ByteStream, ContentStore } from '../src/api.js';
import { dockerArchive, ociArchive, writeLayout } from '../src/archive/layout.js';
import { loadArchive, loadLayout } from '../src/archive/load.js';
import { readTar } from '../src/archive/tar-read.js';
import { writeTar, type TarFile } from '../src/archive/tar-write.js';
import { createMemoryContentStore } from '../src/content/memory.js';
import { validateImage } from '../src/content/validate.js';
import { convertImage } from '../src/image/media-types.js';
import { readImage } from '../src/image/load.js';
import { gather, makeImage, makeIndex } from './support/images.js';
import { noSkopeo } from './support/registry.js';

const signal = AbortSignal.timeout(60_000);
const amd64 = { os: 'linux', architecture: 'amd64' };

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'tsbuild-archive-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function* once(bytes: Uint8Array): ByteStream {
  yield bytes;
}

function skopeo(...args: string[]): string {
  const ended = spawnSync('skopeo', args, { encoding: 'utf8' });
  assert.equal(ended.status, 0, ended.stderr);
  return ended.stdout;
}

test('an OCI archive comes back as it was, with its names, and twice with the same bytes', async () => {
  const store = createMemoryContentStore();
  const image = await makeImage(store);
  const archive = () =>
    gather(ociArchive(store, [{ descriptor: image.descriptor, names: ['app:1', 'ghcr.io/team/app'] }]));
  const bytes = await archive();
  assert.ok((await archive()).equals(bytes));
  assert.equal(bytes.length % 10_240, 0);
  for (const packed of [bytes, gzipSync(bytes)]) {
    const other = createMemoryContentStore();
    const images = await loadArchive(once(packed), other, signal);
    assert.deepEqual(images, [
      { descriptor: image.descriptor, names: ['docker.io/library/app:1', 'ghcr.io/team/app:latest'] },
    ]);
    assert.deepEqual(await validateImage(other, image.descriptor, signal), []);
  }
});

test('tar(1) lists the archive', async () => {
  const store = createMemoryContentStore();
  const image = await makeImage(store, { sizes: [10] });
  const bytes = await gather(dockerArchive(store, [{ descriptor: image.descriptor, names: [] }], amd64));
  const listed = spawnSync('tar', ['-tvf', '-'], {
    input: bytes,
    encoding: 'utf8',
    env: { TZ: 'UTC', PATH: process.env['PATH'] },
  });
  assert.equal(listed.stderr, '');
  const lines = listed.stdout.trim().split('\n');
  assert.equal(lines.length, 2 + 3 + 3);
  assert.match(lines[0] ?? '', /^drwxr-xr-x 0\/0 +0 1970-01-01 00:00 blobs\/$/);
  assert.deepEqual(
    lines.slice(-3).map((line) => line.split(' ').at(-1)),
    ['index.json', 'manifest.json', 'oci-layout'],
  );
});

test('skopeo reads our OCI archive, docker archive and folder', { skip: noSkopeo }, async () => {
  await inFolder(async (folder) => {
    const store = createMemoryContentStore();
    const image = await makeImage(store);
    const named = [{ descriptor: image.descriptor, names: ['docker.io/library/app:1'] }];
    await writeFile(join(folder, 'oci.tar'), ociArchive(store, named));
    await writeFile(join(folder, 'docker.tar'), dockerArchive(store, named, amd64));
    await writeLayout(store, named, join(folder, 'layout'), signal);
    assert.equal(
      JSON.parse(skopeo('inspect', `oci-archive:${folder}/oci.tar:1`)).Digest,
      image.descriptor.digest,
    );
    assert.equal(JSON.parse(skopeo('inspect', `oci:${folder}/layout:1`)).Digest, image.descriptor.digest);
    assert.deepEqual(JSON.parse(skopeo('inspect', `docker-archive:${folder}/docker.tar`)).RepoTags, []);
    skopeo(
      'copy',
      '--insecure-policy',
      `docker-archive:${folder}/docker.tar:app:1`,
      `oci:${folder}/copied:x`,
    );
    const other = createMemoryContentStore();
    const [copied] = await loadLayout(join(folder, 'copied'), other, signal, 'x');
    assert.deepEqual(await validateImage(other, copied!.descriptor, signal), []);
    assert.deepEqual(
      (await readImage(other, copied!.descriptor)).config.rootfs,
      (await readImage(store, image.descriptor)).config.rootfs,
    );
  });
});

test('archives that skopeo writes are read: docker and OCI', { skip: noSkopeo }, async () => {
  await inFolder(async (folder) => {
    const store = createMemoryContentStore();
    const image = await makeImage(store);
    await writeLayout(
      store,
      [{ descriptor: image.descriptor, names: ['app:1'] }],
      join(folder, 'layout'),
      signal,
    );
    skopeo(
      'copy',
      '--insecure-policy',
      `oci:${folder}/layout:1`,
      `docker-archive:${folder}/docker.tar:team/app:7`,
    );
    skopeo('copy', '--insecure-policy', `oci:${folder}/layout:1`, `oci-archive:${folder}/oci.tar:app`);
    const config = (await readImage(store, image.descriptor)).config;
    for (const [file, names] of [
      ['docker.tar', ['docker.io/team/app:7']],
      ['oci.tar', []],
    ] as const) {
      const other = createMemoryContentStore();
      const [loaded] = await loadArchive(createReadStream(join(folder, file)), other, signal);
      assert.deepEqual(loaded?.names, names);
      assert.deepEqual(await validateImage(other, loaded!.descriptor, signal), []);
      assert.deepEqual((await readImage(other, loaded!.descriptor)).config.rootfs, config.rootfs);
    }
  });
});

/** What docker wrote before version 25: a folder per layer, equal layers as links. */
async function oldArchive(
  store: ContentStore,
  change: (files: TarFile[]) => TarFile[] = (files) => files,
): Promise<Buffer> {
  const image = await makeImage(store, { sizes: [30, 40], compression: 'uncompressed' });
  const config = await store.read(image.config);
  const [one = 'a', two = 'b'] = [randomBytes(32).toString('hex'), randomBytes(32).toString('hex')];
  const file = (path: string, body: Uint8Array): TarFile => ({ path, type: 'File', size: body.length, body });
  const files: TarFile[] = [];
  for (const [index, id] of [one, two].entries()) {
    const layer = await gather(store.open(image.layers[index]!));
    files.push({ path: id, type: 'Directory', size: 0 }, file(`${id}/VERSION`, Buffer.from('1.0')));
    files.push(file(`${id}/json`, Buffer.from('{}')), file(`${id}/layer.tar`, layer));
  }
  const name = `${hexOf(sha256(config))}.json`;
  const manifest = [
    { Config: name, RepoTags: ['busybox:old'], Layers: [`${one}/layer.tar`, `${two}/layer.tar`] },
  ];
  files.push(
    file(name, config),
    file('manifest.json', Buffer.from(JSON.stringify(manifest))),
    file('repositories', Buffer.from('{}')),
  );
  return gather(writeTar(change(files)));
}

test('an old docker archive is read', async () => {
  const source = createMemoryContentStore();
  const other = createMemoryContentStore();
  const [image, ...more] = await loadArchive(once(await oldArchive(source)), other, signal);
  assert.deepEqual(more, []);
  assert.deepEqual(image?.names, ['docker.io/library/busybox:old']);
  assert.deepEqual(await validateImage(other, image!.descriptor, signal), []);
  const { manifest } = await readImage(other, image!.descriptor);
  assert.deepEqual(
    manifest.layers.map(({ mediaType }) => mediaType),
    [mediaTypes.ociLayer, mediaTypes.ociLayer],
  );
});

test('archives that lack something, or hold other layers than they say, are refused', async () => {
  const cases: [(files: TarFile[]) => TarFile[], string, RegExp][] = [
    [
      (files) => files.filter(({ path }) => path !== 'manifest.json'),
      'TSB_INTEGRITY_BAD_ARCHIVE',
      /neither manifest.json nor index.json/,
    ],
    [
      (files) => files.filter(({ path }) => !path.endsWith('layer.tar')),
      'TSB_INTEGRITY_BAD_ARCHIVE',
      /layer .* is missing/,
    ],
    [
      (files) => files.filter(({ path }) => !/^[0-9a-f]{64}\.json$/.test(path)),
      'TSB_INTEGRITY_BAD_ARCHIVE',
      /\.json is missing/,
    ],
    [
      (files) =>
        files.map((one) =>
          one.path.endsWith('layer.tar') ? { ...one, size: 4, body: Buffer.from('evil') } : one,
        ),
      'TSB_INTEGRITY_DIFF_ID',
      /unpacks to/,
    ],
  ];
  for (const [change, code, message] of cases) {
    const archive = await oldArchive(createMemoryContentStore(), change);
    await assert.rejects(
      loadArchive(once(archive), createMemoryContentStore(), signal),
      (error: TsbuildError) => {
        assert.equal(error.code, code);
        assert.match(error.message, message);
        return true;
      },
    );
  }
});

test('no tar, a cut one, and names that climb are refused', async () => {
  const archive = await oldArchive(createMemoryContentStore());
  const climbing = await gather(
    writeTar([{ path: 'a/../../b', type: 'File', size: 1, body: Buffer.from('x') }]),
  );
  for (const bytes of [
    Buffer.from('hello'),
    Buffer.alloc(0),
    Buffer.alloc(1024),
    archive.subarray(0, 3000),
    randomBytes(2048),
    climbing,
  ]) {
    await assert.rejects(loadArchive(once(bytes), createMemoryContentStore(), signal), {
      code: 'TSB_INTEGRITY_BAD_ARCHIVE',
    });
  }
});

test('a blob whose bytes are not its name is refused', async () => {
  const store = createMemoryContentStore();
  const image = await makeImage(store, { sizes: [600] });
  const bytes = await gather(ociArchive(store, [{ descriptor: image.descriptor, names: [] }]));
  // The entry's header, not the manifest that names the digest too.
  const at = bytes.indexOf(`blobs/sha256/${hexOf(image.layers[0]!.digest)}`);
  bytes[at + 512 + 100] = (bytes[at + 512 + 100] as number) ^ 1;
  await assert.rejects(loadArchive(once(bytes), createMemoryContentStore(), signal), {
    code: 'TSB_INTEGRITY_DIGEST',
  });
});

test('a folder is read by tag, by digest, or whole; what it lacks is named', async () => {
  await inFolder(async (folder) => {
    const store = createMemoryContentStore();
    const [one, two] = [await makeImage(store, { sizes: [10] }), await makeImage(store, { sizes: [20] })];
    await writeLayout(
      store,
      [
        { descriptor: one.descriptor, names: ['app:1'] },
        { descriptor: two.descriptor, names: ['app:2'] },
      ],
      folder,
      signal,
    );
    const load = (select?: string) => loadLayout(folder, createMemoryContentStore(), signal, select);
    assert.deepEqual(
      (await load('2')).map(({ descriptor }) => descriptor),
      [two.descriptor],
    );
    assert.deepEqual(
      (await load(one.descriptor.digest)).map(({ names }) => names),
      [['docker.io/library/app:1']],
    );
    assert.equal((await load()).length, 2);
    await assert.rejects(load('3'), { code: 'TSB_RESOLVE_NOT_FOUND', hint: 'It has: 1, 2.' });
    await assert.rejects(loadLayout(join(folder, 'blobs'), createMemoryContentStore(), signal), {
      code: 'TSB_RESOLVE_BAD_LAYOUT',
    });
    const index = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8'));
    assert.deepEqual(index.manifests[0].annotations, {
      'io.containerd.image.name': 'docker.io/library/app:1',
      'org.opencontainers.image.ref.name': '1',
    });
  });
});

test('docker media types and back give the first documents again', async () => {
  const store = createMemoryContentStore();
  const { descriptor } = await makeIndex(store, [amd64, { os: 'linux', architecture: 'arm64' }]);
  const docker = await convertImage(store, descriptor, 'docker');
  assert.equal(docker.mediaType, mediaTypes.dockerIndex);
  const index = JSON.parse((await store.read(docker)).toString());
  assert.equal(index.manifests[0].mediaType, mediaTypes.dockerManifest);
  const { manifest } = await readImage(store, index.manifests[0]);
  assert.equal(manifest.config.mediaType, mediaTypes.dockerConfig);
  assert.deepEqual(
    manifest.layers.map(({ mediaType }) => mediaType),
    [mediaTypes.dockerLayerGzip],
  );
  assert.deepEqual(await validateImage(store, docker, signal), []);
  assert.deepEqual(await convertImage(store, docker, 'docker'), docker);
  assert.deepEqual(await convertImage(store, docker, 'oci'), descriptor);
});

test('entries of GNU tar, with long names and PAX headers, are read', async () => {
  await inFolder(async (folder) => {
    const name = `${'d'.repeat(60)}/${'f'.repeat(90)}`;
    spawnSync('/bin/sh', ['-c', `mkdir -p ${'d'.repeat(60)} && echo hello >${name} && ln -s ${name} link`], {
      cwd: folder,
    });
    for (const format of ['gnu', 'pax']) {
      const archive = spawnSync('tar', ['-c', `--format=${format}`, '.'], { cwd: folder }).stdout;
      const seen: string[] = [];
      for await (const entry of readTar(once(archive))) {
        seen.push(
          entry.type === 'link'
            ? `${entry.path} -> ${entry.target}`
            : `${entry.path}: ${(await gather(entry.body)).toString()}`,
        );
      }
      assert.deepEqual(seen.sort(), [`${name}: hello\n`, `link -> ${name}`], format);
    }
  });
});
