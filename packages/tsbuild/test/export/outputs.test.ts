/** Every type of output: what it writes, and that nothing half-written stays. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  createReadStream,
  createWriteStream,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as zlib from 'node:zlib';
import { buffer } from 'node:stream/consumers';
import { after, type TestContext, test } from 'node:test';
import {
  type BuildOptions,
  build,
  type Compression,
  type OutputSpec,
  type TsbuildError,
} from '../../src/index.js';
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

test('an epoch is the time of every file of a tar or a folder, and of the config', options, async () => {
  const fixed = { sourceDateEpoch: 1_000_000 };
  await make({ type: 'local', dest: path('epoch') }, fixed);
  const seconds = (name: string) => lstatSync(join(path('epoch'), name)).mtimeMs / 1000;
  assert.deepEqual(
    readdirSync(path('epoch'), { recursive: true, encoding: 'utf8' }).filter(
      (name) => seconds(name) !== 1_000_000,
    ),
    [],
  );
  await make({ type: 'tar', dest: path('epoch.tar') }, fixed);
  const tar = readFileSync(path('epoch.tar'));
  assert.equal(Number.parseInt(tar.subarray(136, 147).toString(), 8), 1_000_000);
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

test('a build that fails leaves the old file', options, async () => {
  writeFileSync(path('old.tar'), 'old');
  await assert.rejects(make({ type: 'tar', dest: path('old.tar') }, { dockerfileText: shell('RUN exit 1') }));
  assert.equal(readFileSync(path('old.tar'), 'utf8'), 'old');
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.endsWith('.tmp')),
    [],
  );
});

test('the same type of output twice: each has steps of its own', options, async () => {
  const running = make(
    { type: 'cacheonly' },
    {
      outputs: [
        { type: 'oci', dest: path('twice-1.tar') },
        { type: 'oci', dest: path('twice-2.tar'), compression: 'uncompressed' },
      ],
    },
  );
  const exports: string[] = [];
  for await (const event of running)
    if (event.type === 'vertex' && event.name.startsWith('exporting')) exports.push(event.id);
  const { outputs } = await running;
  assert.equal(new Set(exports).size, 2);
  assert.notEqual(outputs[0]?.digest, outputs[1]?.digest);
});

const refused: [what: string, outputs: OutputSpec[], more: Partial<BuildOptions>, code: string][] = [
  [
    'two outputs in one file',
    [
      { type: 'tar', dest: path('both') },
      { type: 'oci', dest: `${folder}/./both` },
    ],
    {},
    'TSB_USAGE_DESTINATION',
  ],
  [
    'a tar of several platforms',
    [{ type: 'tar', dest: path('x') }],
    { platforms: ['linux/amd64', 'linux/arm64'] },
    'TSB_USAGE_PLATFORMS',
  ],
  [
    'one folder for several platforms',
    [{ type: 'local', dest: path('x'), platformSplit: false }],
    { platforms: ['linux/amd64', 'linux/arm64'] },
    'TSB_USAGE_PLATFORMS',
  ],
  [
    'a level that gzip lacks',
    [{ type: 'oci', dest: path('x'), compressionLevel: 12 }],
    {},
    'TSB_USAGE_BAD_COMPRESSION_LEVEL',
  ],
  ['a push without a name', [{ type: 'registry' }], { tags: [] }, 'TSB_USAGE_NO_NAME'],
  ['a layout folder on a stream', [{ type: 'oci', dest: '-', tar: false }], {}, 'TSB_USAGE_DESTINATION'],
];
for (const [what, outputs, more, code] of refused)
  test(`refused before anything runs: ${what}`, options, async () => {
    const running = build({ root, context, dockerfileText, tags: ['out:1'], ...more, outputs });
    const steps: string[] = [];
    await assert.rejects(
      (async () => {
        for await (const event of running) if (event.type === 'vertex') steps.push(event.name);
      })(),
      { code },
    );
    assert.deepEqual(steps, []);
    assert.deepEqual(
      readdirSync(folder).filter((name) => name === 'x' || name === 'both'),
      [],
    );
  });

test('through a link, the file behind it is replaced', options, async () => {
  writeFileSync(path('real.tar'), 'old');
  symlinkSync('real.tar', path('link.tar'));
  await make({ type: 'tar', dest: path('link.tar') });
  assert.ok(lstatSync(path('link.tar')).isSymbolicLink());
  assert.ok(tar(['-tf', path('real.tar')]).includes('d/f'));
});

test('a pipe gets the bytes and stays', options, async () => {
  spawnSync('mkfifo', [path('fifo')]);
  const reader = buffer(createReadStream(path('fifo')));
  await make({ type: 'tar', dest: path('fifo') });
  writeFileSync(path('from-fifo.tar'), await reader);
  assert.ok(tar(['-tf', path('from-fifo.tar')]).includes('d/f'));
  assert.ok(lstatSync(path('fifo')).isFIFO());
});

test('a layout folder keeps the blobs it had, and names the new image', options, async () => {
  const dest = path('layout-twice');
  await make({ type: 'oci', dest, tar: false });
  const first = readdirSync(join(dest, 'blobs/sha256'));
  await make({ type: 'oci', dest, tar: false }, { labels: { second: 'x' } });
  const second = readdirSync(join(dest, 'blobs/sha256'));
  assert.deepEqual(
    first.filter((name) => !second.includes(name)),
    [],
  );
  assert.ok(second.length > first.length);
  assert.ok(manifestOf(dest));
});

/** A file system of 256 KiB, too small for busybox. */
function withSmallDisk(work: (place: string) => Promise<void>): (t: TestContext) => Promise<void> {
  return async (t) => {
    const place = path('small');
    mkdirSync(place, { recursive: true });
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', place]);
    if (mounted.status !== 0) return t.skip('no mounts allowed here');
    try {
      await work(place);
    } finally {
      spawnSync('umount', [place]);
    }
  };
}

for (const [what, spec] of [
  ['a tar', (dest: string) => ({ type: 'tar', dest })],
  ['a folder', (dest: string) => ({ type: 'local', dest })],
  ['an archive', (dest: string) => ({ type: 'oci', dest })],
  ['a layout folder', (dest: string) => ({ type: 'oci', dest, tar: false })],
  ['a docker archive', (dest: string) => ({ type: 'docker', dest })],
] as [string, (dest: string) => OutputSpec][])
  test(
    `on a full disk nothing stays of ${what}`,
    options,
    withSmallDisk(async (place) => {
      await assert.rejects(make(spec(join(place, 'out'))), (error: TsbuildError) => {
        assert.equal(error.code, 'TSB_STORE_OUTPUT');
        assert.match(error.message, /^cannot write .*out: no space left on device$/);
        return true;
      });
      assert.deepEqual(readdirSync(place), []);
    }),
  );

test('an abort while a folder is written leaves none', options, async () => {
  const dest = path('aborted');
  const controller = new AbortController();
  // So many files that the abort comes long before the last of them.
  const many = 'mkdir /m; cd /m; i=0; while [ $i -lt 20000 ]; do : > $i; i=$((i+1)); done';
  const running = make(
    { type: 'local', dest },
    {
      dockerfileText: shell(`RUN ${many}`),
      signal: controller.signal,
      onEvent: (event) => {
        if (event.type === 'started' && event.id === 'export:local') controller.abort();
      },
    },
  );
  await assert.rejects(running, { code: 'TSB_CANCELLED_ABORTED' });
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.includes('aborted')),
    [],
  );
});
