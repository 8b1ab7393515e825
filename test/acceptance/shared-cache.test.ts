/** Results that travel: one machine writes a shared cache, another, with an empty store, builds from it. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { busyboxImage } from '../support/busybox.js';
import { type Outcome, Tsbuild } from '../support/command.js';
import { imageName, workFolder } from '../support/env.js';
import { steps } from '../support/events.js';
import { writeTree } from '../support/files.js';

const work = workFolder('shared-cache');
const base = 'busybox:shared';
const baseArchive = join(work, 'base.tar');
let machines = 0;

before(async () => {
  const maker = new Tsbuild(join(work, 'maker'));
  await busyboxImage(maker, work, base);
  await maker.ok(['save', '-o', baseArchive, base]);
});

/** A machine of its own: an empty store that has the base image. */
async function machine(): Promise<Tsbuild> {
  const tsbuild = new Tsbuild(join(work, `machine-${machines++}`));
  await tsbuild.ok(['load', '-i', baseArchive]);
  return tsbuild;
}

const dockerfile = (last = 'RUN cat /b.txt > /c.txt') => `FROM ${base} AS build
WORKDIR /src
COPY a.txt .
RUN tr a-z A-Z < a.txt > b.txt && head -c 300000 /dev/urandom > big
FROM ${base}
RUN date +%N > /when
COPY --from=build /src/b.txt /b.txt
COPY --link --from=build /src/b.txt /linked/b.txt
${last}
`;

const stepsOfBoth = [
  'COPY --from=build /src/b.txt /b.txt',
  'COPY --link --from=build /src/b.txt /linked/b.txt',
  'COPY a.txt .',
  'RUN cat /b.txt > /c.txt',
  'RUN date +%N > /when',
  'RUN tr a-z A-Z < a.txt > b.txt && head -c 300000 /dev/urandom > big',
  'WORKDIR /src',
];

function context(name: string, last?: string): string {
  return writeTree(join(work, name), { Dockerfile: dockerfile(last), 'a.txt': 'hello\n' });
}

interface Built {
  /** Instructions that ran, and those that the cache answered, sorted. */
  ran: string[];
  cached: string[];
  config: string;
  outcome: Outcome;
}

async function build(tsbuild: Tsbuild, folder: string, ...flags: string[]): Promise<Built> {
  const metadata = join(work, 'metadata.json');
  rmSync(metadata, { force: true });
  const outcome = await tsbuild.ok([
    'build',
    '--progress=rawjson',
    `--metadata-file=${metadata}`,
    ...flags,
    folder,
  ]);
  const { ran, cached } = steps(outcome);
  const { 'containerimage.config.digest': config = '' } = JSON.parse(
    readFileSync(metadata, 'utf8'),
  ) as Record<string, string>;
  return { ran: instructions(ran), cached: instructions(cached), config, outcome };
}

/** Without the place, and without what is no step of the Dockerfile. */
function instructions(names: readonly string[]): string[] {
  return names
    .map((name) => name.replace(/^\[[^\]]*\d+\/\d+\] /, ''))
    .filter((name) => /^(RUN|COPY|WORKDIR)/.test(name))
    .sort();
}

function blobSizes(tsbuild: Tsbuild): number[] {
  const folder = join(tsbuild.root, 'oci/blobs/sha256');
  return readdirSync(folder).map((name) => statSync(join(folder, name)).size);
}

const randomLayer = 290_000;

describe('a cache of all stages', () => {
  for (const type of ['registry', 'local'] as const) {
    test(`type=${type}: an empty store builds the same image and runs nothing`, async () => {
      const name = type === 'registry' ? `ref=${imageName('shared-cache:max')}` : '';
      const folder = join(work, 'local-cache');
      const to = `type=${type},mode=max,${name || `dest=${folder}`}`;
      const from = `type=${type},${name || `src=${folder}`}`;
      const first = await machine();
      const made = await build(first, context('max'), '-t', 'app', '--cache-to', to);
      assert.deepEqual(made.ran, stepsOfBoth);

      const second = await machine();
      const again = await build(second, context('max'), '-t', 'app', '--cache-from', from);
      assert.deepEqual(again.ran, []);
      assert.deepEqual(again.cached, stepsOfBoth);
      assert.equal(again.config, made.config);
      const files = ['run', 'app', 'cat', '/when', '/b.txt', '/c.txt', '/linked/b.txt'];
      assert.equal((await second.ok(files)).stdout, (await first.ok(files)).stdout);
      assert.ok(
        !blobSizes(second).some((size) => size > randomLayer && size < 400_000),
        'the stage stayed there',
      );
    });
  }

  test('a hit whose consumers are hits fetches no layer', async () => {
    const store = await machine();
    const before = blobSizes(store).length;
    const from = `type=local,src=${join(work, 'local-cache')}`;
    const built = await build(store, context('max'), '-o', 'type=cacheonly', '--cache-from', from);
    assert.deepEqual(built.ran, []);
    assert.equal(blobSizes(store).length, before + 1, 'the index');
  });

  test('an image that is pushed only is made of layers that stay in the registry', async () => {
    const from = `type=registry,ref=${imageName('shared-cache:max')}`;
    const store = await machine();
    const before = blobSizes(store).length;
    const name = imageName('shared-cache/pushed:1');
    const built = await build(store, context('max'), '-t', name, '-o', 'type=registry', '--cache-from', from);
    assert.deepEqual(built.ran, []);
    assert.equal(blobSizes(store).length, before + 3, 'the index, the config and the manifest');
    const reader = await machine();
    await reader.ok(['pull', name]);
    assert.equal((await reader.ok(['run', name, 'cat', '/linked/b.txt'])).stdout, 'HELLO\n');
  });

  test('a changed last step runs alone, on the layers that it needs', async () => {
    const store = await machine();
    const from = `type=local,src=${join(work, 'local-cache')}`;
    const changed = context('changed', 'RUN cat /b.txt /linked/b.txt > /d.txt');
    const built = await build(store, changed, '-t', 'changed', '--cache-from', from);
    assert.deepEqual(built.ran, ['RUN cat /b.txt /linked/b.txt > /d.txt']);
    assert.equal((await store.ok(['run', 'changed', 'cat', '/d.txt'])).stdout, 'HELLO\nHELLO\n');
    assert.ok(
      !blobSizes(store).some((size) => size > randomLayer && size < 400_000),
      'the stage stayed there',
    );
  });

  test('a second export sends documents only', async () => {
    const store = await machine();
    const ref = imageName('shared-cache:twice');
    const to = ['-o', 'type=cacheonly', '--cache-to', `type=registry,mode=max,ref=${ref}`];
    await build(store, context('max'), ...to);
    const { outcome } = await build(store, context('max'), ...to);
    assert.deepEqual(uploads(outcome), []);
    const more = await build(store, context('changed', 'RUN echo more > /more'), ...to);
    assert.equal(uploads(more.outcome).filter((size) => size > 10_000).length, 0);
  });
});

/** Sizes of what was uploaded. */
function uploads(outcome: Outcome): number[] {
  const done = new Map<string, number>();
  for (const line of outcome.stderr.split('\n').filter((each) => each.startsWith('{'))) {
    const event = JSON.parse(line) as { type: string; action?: string; item?: string; total?: number };
    if (event.type === 'transfer' && event.action === 'uploading')
      done.set(event.item ?? '', event.total ?? 0);
  }
  return [...done.values()];
}

describe('trust', () => {
  test('what came of a cache counts in no build that does not name it', async () => {
    const from = `type=local,src=${join(work, 'local-cache')}`;
    const changed = context('changed', 'RUN cat /b.txt > /e.txt');
    const store = await machine();
    const trusting = await build(store, changed, '-o', 'type=cacheonly', '--cache-from', from);
    assert.deepEqual(trusting.ran, ['RUN cat /b.txt > /e.txt']);
    const again = await build(store, changed, '-o', 'type=cacheonly', '--cache-from', from);
    assert.deepEqual(again.ran, []);
    const careful = await build(store, changed, '-o', 'type=cacheonly');
    assert.deepEqual(careful.cached, []);
    assert.equal(careful.ran.length, stepsOfBoth.length);
    // Its own results count with the cache named, too.
    assert.deepEqual((await build(store, changed, '-o', 'type=cacheonly', '--cache-from', from)).ran, []);
  });
});

describe('mode=min', () => {
  test('holds the steps of the result: the stage is built again', async () => {
    const cache = join(work, 'min');
    await build(
      await machine(),
      context('max'),
      '-o',
      'type=cacheonly',
      '--cache-to',
      `type=local,dest=${cache}`,
    );
    const again = await build(
      await machine(),
      context('max'),
      '-o',
      'type=cacheonly',
      '--cache-from',
      `type=local,src=${cache}`,
    );
    assert.deepEqual(again.ran, [
      'COPY a.txt .',
      'RUN tr a-z A-Z < a.txt > b.txt && head -c 300000 /dev/urandom > big',
      'WORKDIR /src',
    ]);
  });
});

describe('an inline cache', () => {
  test('is read from the pushed image', async () => {
    const name = imageName('shared-cache/inline:1');
    const first = await machine();
    const made = await build(first, context('max'), '-t', name, '--push', '--cache-to', 'type=inline');
    const second = await machine();
    const again = await build(
      second,
      context('max'),
      '-t',
      name,
      '--cache-from',
      name,
      '--cache-to',
      'type=inline',
    );
    assert.deepEqual(again.ran, [
      'COPY a.txt .',
      'RUN tr a-z A-Z < a.txt > b.txt && head -c 300000 /dev/urandom > big',
      'WORKDIR /src',
    ]);
    assert.equal(again.config, made.config);
  });
});

describe('a cache that fails', () => {
  let cache = '';
  before(async () => {
    cache = join(work, 'damaged');
    await build(
      await machine(),
      context('max'),
      '-o',
      'type=cacheonly',
      '--cache-to',
      `type=local,mode=max,dest=${cache}`,
    );
  });

  test('that is not there is a miss', async () => {
    const store = await machine();
    const missing = ['--cache-from', `type=local,src=${join(work, 'nowhere')}`];
    const registry = ['--cache-from', imageName('shared-cache:nowhere')];
    const built = await build(store, context('max'), '-o', 'type=cacheonly', ...missing, ...registry);
    assert.deepEqual(built.ran, stepsOfBoth);
  });

  test('that lacks a layer it names is left out, with a warning', async () => {
    const store = await machine();
    const folder = join(cache, 'blobs/sha256');
    for (const file of readdirSync(folder)) {
      const path = join(folder, file);
      if (statSync(path).size < 300 && !readFileSync(path, 'utf8').startsWith('{')) rmSync(path);
    }
    const built = await build(store, context('max'), '-t', 'app', '--cache-from', `type=local,src=${cache}`);
    assert.match(built.outcome.stderr, /lacks a layer that it names/);
    assert.equal((await store.ok(['run', 'app', 'cat', '/c.txt'])).stdout, 'HELLO\n');
  });

  test('whose document is no JSON is left out, with a warning', async () => {
    const store = await machine();
    const { manifests } = JSON.parse(readFileSync(join(cache, 'index.json'), 'utf8')) as {
      manifests: { digest: string }[];
    };
    const path = join(cache, 'blobs/sha256', (manifests[0]?.digest ?? '').slice('sha256:'.length));
    assert.ok(existsSync(path));
    rmSync(path);
    const from = `type=local,src=${cache}`;
    const built = await build(store, context('max'), '-o', 'type=cacheonly', '--cache-from', from);
    assert.deepEqual(built.ran, stepsOfBoth);
    assert.match(built.outcome.stderr, /is not used: /);
  });
});
