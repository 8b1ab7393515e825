/** Every type of output: what it writes, and that nothing half-written stays. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createWriteStream, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as zlib from 'node:zlib';
import { Writable } from 'node:stream';
import { after, test } from 'node:test';
import { type BuildOptions, build, type Compression, type OutputSpec } from '../../src/index.js';
import { createFixture, leftovers, missing, shell } from '../api/fixture.js';

const { folder, root, context, remove } = createFixture();
after(remove);
const options = { skip: missing, timeout: 60_000 };
const path = (name: string): string => join(folder, name);
const dockerfileText = shell(
  'RUN mkdir /d && echo text > /d/f && busybox ln /d/f /d/hard && busybox ln -s f /d/soft',
);
const make = (spec: OutputSpec, more: Partial<BuildOptions> = {}) =>
  build({ root, context, dockerfileText, tags: ['out:1'], outputs: [spec], ...more });
const tar = (args: string[]): string[] =>
  spawnSync('tar', args, { encoding: 'utf8' })
    .stdout.split('\n')
    .filter((line) => line !== '');

interface Manifest {
  mediaType: string;
  annotations?: Record<string, string>;
  layers: { mediaType: string }[];
}

function manifestOf(layout: string): Manifest {
  const blob = (digest: string) => readFileSync(join(layout, 'blobs', digest.replace(':', '/')), 'utf8');
  const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as {
    manifests: { digest: string }[];
  };
  return JSON.parse(blob(index.manifests[0]?.digest ?? '')) as Manifest;
}

test('local: the files with their types, beside what the folder had', options, async () => {
  mkdirSync(path('local'));
  writeFileSync(join(path('local'), 'mine'), 'kept');
  const { outputs } = await make({ type: 'local', dest: path('local') });
  assert.deepEqual(outputs, [{ type: 'local', dest: path('local'), names: [] }]);
  assert.deepEqual(readdirSync(path('local')).sort(), ['bin', 'd', 'dev', 'mine', 'proc', 'sys']);
  assert.equal(readFileSync(join(path('local'), 'd/soft'), 'utf8'), 'text\n');
  assert.equal(statSync(join(path('local'), 'd/f')).ino, statSync(join(path('local'), 'd/hard')).ino);
});

test('tar: one archive of the root file system, to a file or a stream', options, async () => {
  await make({ type: 'tar', dest: path('root.tar') });
  const names = tar(['-tf', path('root.tar')]);
  assert.ok(names.includes('d/f') && names.includes('d/soft'), names.join());
  await make({ type: 'tar', dest: createWriteStream(path('stream.tar')) });
  assert.deepEqual(readFileSync(path('stream.tar')), readFileSync(path('root.tar')));
});

test('oci: a tar, or a folder', options, async () => {
  const { outputs, digest } = await make({ type: 'oci', dest: path('oci.tar') });
  assert.equal(outputs[0]?.digest, digest);
  assert.ok(tar(['-tf', path('oci.tar')]).includes('oci-layout'));
  await make({ type: 'oci', dest: path('oci'), tar: false });
  assert.deepEqual(readdirSync(path('oci')).sort(), ['blobs', 'index.json', 'oci-layout']);
});

test('docker: what docker load reads', options, async () => {
  await make({ type: 'docker', dest: path('docker.tar') });
  const [entry] = JSON.parse(tar(['-xOf', path('docker.tar'), 'manifest.json']).join('')) as {
    RepoTags: string[];
  }[];
  assert.deepEqual(entry?.RepoTags, ['out:1']);
});

const compressions: [Compression, string][] = [
  ['uncompressed', 'application/vnd.oci.image.layer.v1.tar'],
  ['gzip', 'application/vnd.oci.image.layer.v1.tar+gzip'],
  ['zstd', 'application/vnd.oci.image.layer.v1.tar+zstd'],
];
for (const [compression, mediaType] of compressions)
  test(`compression ${compression}`, options, async () => {
    const dest = path(`oci-${compression}`);
    if (compression === 'zstd' && !('createZstdCompress' in zlib)) {
      await assert.rejects(make({ type: 'oci', dest, tar: false, compression }), {
        code: 'TSB_USAGE_ZSTD_UNAVAILABLE',
      });
      return;
    }
    await make({ type: 'oci', dest, tar: false, compression });
    assert.deepEqual([...new Set(manifestOf(dest).layers.map((layer) => layer.mediaType))], [mediaType]);
  });

test("annotations and docker's media types", options, async () => {
  const dest = path('oci-annotated');
  await make({ type: 'oci', dest, tar: false, annotations: { a: 'b' } });
  assert.deepEqual(manifestOf(dest).annotations, { a: 'b' });
  const other = path('oci-docker-types');
  await make({ type: 'oci', dest: other, tar: false, ociMediatypes: false });
  assert.equal(manifestOf(other).mediaType, 'application/vnd.docker.distribution.manifest.v2+json');
});

test('several outputs of one build', options, async () => {
  const { outputs } = await build({
    root,
    context,
    dockerfileText,
    tags: ['many:1'],
    outputs: [
      { type: 'store' },
      { type: 'oci', dest: path('many.tar') },
      { type: 'local', dest: path('many') },
    ],
  });
  assert.deepEqual(
    outputs.map(({ type }) => type),
    ['store', 'oci', 'local'],
  );
});

test('cacheonly leaves no image', options, async () => {
  const result = await make({ type: 'cacheonly' }, { tags: [] });
  assert.deepEqual(result.names, []);
});

test('the same epoch gives the same bytes', options, async () => {
  const fixed = { sourceDateEpoch: 1_000_000, noCache: true };
  for (const name of ['same-1.tar', 'same-2.tar'])
    await make({ type: 'oci', dest: path(name), rewriteTimestamp: true }, fixed);
  assert.ok(readFileSync(path('same-1.tar')).equals(readFileSync(path('same-2.tar'))));
});

const badDestinations: [what: string, spec: OutputSpec, code: string][] = [
  ['a tar where a folder is', { type: 'tar', dest: folder }, 'TSB_USAGE_DESTINATION'],
  ['a tar below a file', { type: 'tar', dest: join(context, 'busybox/x.tar') }, 'TSB_STORE_OUTPUT'],
  ['a folder where a file is', { type: 'local', dest: join(context, 'busybox') }, 'TSB_STORE_OUTPUT'],
  ['a folder below a file', { type: 'local', dest: join(context, 'busybox/x') }, 'TSB_STORE_OUTPUT'],
  [
    'a layout below a file',
    { type: 'oci', tar: false, dest: join(context, 'busybox/x') },
    'TSB_STORE_OUTPUT',
  ],
  ['a folder in /proc', { type: 'local', dest: '/proc/tsbuild/x' }, 'TSB_STORE_OUTPUT'],
];
for (const [what, spec, code] of badDestinations)
  test(`refused: ${what}`, options, async () => {
    await assert.rejects(make(spec), { code });
    assert.deepEqual(leftovers(root), []);
  });

test('a reader that stops early fails the build, and leaves nothing', options, async () => {
  const dest = new Writable({
    write(_chunk, _encoding, done) {
      done(new Error('no more'));
    },
  });
  await assert.rejects(make({ type: 'tar', dest }));
  assert.deepEqual(leftovers(root), []);
});

test('a build that fails leaves the old file', options, async () => {
  writeFileSync(path('old.tar'), 'old');
  await assert.rejects(make({ type: 'tar', dest: path('old.tar') }, { dockerfileText: shell('RUN exit 1') }));
  assert.equal(readFileSync(path('old.tar'), 'utf8'), 'old');
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.endsWith('.tmp')),
    [],
  );
});
