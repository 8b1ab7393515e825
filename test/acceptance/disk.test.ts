/** What du and prune say is what du(1) says, and ceilings hold. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { busyboxImage } from '../support/busybox.js';
import { Tsbuild } from '../support/command.js';
import { diskBytes } from '../support/disk.js';
import { workFolder } from '../support/env.js';
import { steps } from '../support/events.js';
import { writeTree } from '../support/files.js';
import { listStore } from '../support/store.js';

const MB = 1024 * 1024;
/** Directories of the store may grow by a block or two while a command works. */
const slack = 64 * 1024;

interface Usage {
  total: number;
  reclaimable: number;
  other: number;
  entries: { type: string; id: string; description: string; bytes: number }[];
  blobs: { bytes: number };
  snapshots: { bytes: number };
  cacheMounts: { bytes: number };
  index: { bytes: number };
  temporary: { bytes: number };
}

interface Pruned {
  bytes: number;
  total: number;
  removed: { type: string; id: string; bytes: number }[];
}

const sum = (items: { bytes: number }[]) => items.reduce((total, { bytes }) => total + bytes, 0);

describe('the size of a store', () => {
  let work: string;
  let tsbuild: Tsbuild;
  let base: string;
  before(async () => {
    work = workFolder('disk');
    tsbuild = new Tsbuild(join(work, 'store'));
    base = await busyboxImage(tsbuild, work);
  });

  const usage = async () => JSON.parse((await tsbuild.ok(['du', '--format=json'])).stdout) as Usage;
  const prune = async (...flags: string[]) =>
    JSON.parse((await tsbuild.ok(['prune', '--force', '--format=json', ...flags])).stdout) as Pruned;

  /** Two steps of the given size, and a cache mount; nothing is kept of the image but its cache. */
  const fill = (name: string, megabytes: number, ...flags: string[]) => {
    const context = writeTree(join(work, name), {
      own: `${name}\n`,
      Dockerfile: `FROM ${base}
COPY own /own
RUN dd if=/dev/urandom of=/first bs=1M count=${megabytes} 2>/dev/null
RUN --mount=type=cache,id=${name},target=/cache dd if=/dev/urandom of=/cache/file bs=1M count=1 && ln /first /twin
`,
    });
    return tsbuild.ok(['build', '--progress=rawjson', '-o', 'type=cacheonly', ...flags, context]);
  };

  test('du adds up, entry by entry, to what du(1) counts', async () => {
    await fill('adds-up', 2);
    await tsbuild.ok(['build', '-t', 'kept:1', join(work, 'adds-up')]);
    const found = await usage();
    assert.equal(found.total, await diskBytes(tsbuild.root));
    assert.equal(sum(found.entries), found.total);
    const { blobs, snapshots, cacheMounts, index, temporary, other } = found;
    assert.equal(sum([blobs, snapshots, cacheMounts, index, temporary]) + other, found.total);
    const big = found.entries.filter(({ bytes }) => bytes > MB).map(({ type }) => type);
    // The base image and the first RUN as snapshots and as blobs, the second RUN with its copied-up file, the mount.
    assert.deepEqual(big.sort(), ['blob', 'blob', 'blob', 'mount', 'source', 'step', 'step']);
  });

  test('prune frees what it says, what du promised, and what du(1) finds gone', async () => {
    await fill('frees', 2);
    const { reclaimable } = await usage();
    const before = await diskBytes(tsbuild.root);
    const wouldGo = await prune('--dry-run');
    assert.equal(await diskBytes(tsbuild.root), before);
    const went = await prune();
    const after = await diskBytes(tsbuild.root);
    assert.equal(went.bytes, wouldGo.bytes);
    assert.equal(went.bytes, reclaimable);
    assert.equal(sum(went.removed), went.bytes);
    assert.ok(Math.abs(before - after - went.bytes) <= slack, `${before} - ${after} is not ${went.bytes}`);
    assert.ok(Math.abs(after - went.total) <= slack, `${after} is not ${went.total}`);
  });

  test('a build with --cache-max-size leaves the store below it, the newest results kept', async () => {
    await prune();
    const floor = await diskBytes(tsbuild.root);
    const ceiling = floor + 12 * MB;
    for (const name of ['one', 'two', 'three']) {
      const built = await fill(name, 3, `--cache-max-size=${ceiling}`);
      const size = await diskBytes(tsbuild.root);
      assert.ok(size <= ceiling, `${size} is above ${ceiling} after ${name}: ${built.stderr}`);
    }
    const again = await fill('three', 3);
    assert.deepEqual(
      steps(again).ran.filter((name) => name.includes('RUN')),
      [],
      'the last build is still cached',
    );
    const oldest = await fill('one', 3);
    assert.ok(
      steps(oldest).ran.some((name) => name.includes('/first')),
      'the first one is not',
    );
  });

  test('a step below a result that is used is as recently used as that', async () => {
    await prune();
    await fill('stack', 3);
    await fill('other', 3);
    // Only the record of the last step is looked up.
    await fill('stack', 3);
    const { total } = await usage();
    const { removed } = await prune(`--cache-max-size=${total - MB}`);
    assert.ok(removed.length > 0);
    const rebuilt = await fill('stack', 3, '--build-arg=unused=1');
    assert.deepEqual(
      steps(rebuilt).ran.filter((name) => name.includes('RUN')),
      [],
    );
    const names = (await usage()).entries
      .filter(({ type }) => type === 'step')
      .map(({ description }) => description);
    assert.ok(
      names.some((name) => name.includes('COPY')),
      names.join('\n'),
    );
  });

  test('a ceiling that images alone exceed is not met, and the build says so', async () => {
    await tsbuild.ok(['build', '-t', 'kept:2', join(work, 'stack')]);
    const built = await tsbuild.ok(['build', '--cache-max-size=1MB', '-t', 'kept:3', join(work, 'stack')]);
    assert.match(
      built.stderr,
      /the store .* takes .*MB, and 1\.05MB is the most it may take: the rest is what images need/,
    );
    const ran = await tsbuild.ok(['run', 'kept:3', 'ls', '/own']);
    assert.equal(ran.stdout, '/own\n');
  });

  test('a ceiling spares what a running build uses', async () => {
    const context = writeTree(join(work, 'slow'), {
      Dockerfile: `FROM ${base}
RUN dd if=/dev/urandom of=/big bs=1M count=4 2>/dev/null; sha256sum /big > /sum
RUN echo asleep; sleep 4
RUN sha256sum -c /sum
`,
    });
    let sleeping = () => {};
    const started = new Promise<void>((resolve) => {
      sleeping = resolve;
    });
    const slow = tsbuild.ok(['build', '--progress=plain', '-t', 'slow:1', context], {
      started(child) {
        child.stderr?.on('data', (chunk: Buffer) => {
          if (chunk.toString().includes('asleep')) sleeping();
        });
      },
    });
    await started;
    const other = await fill('beside', 1, '--cache-max-size=1MB');
    assert.match(other.stderr, /images and running builds need/);
    const outcome = await slow;
    assert.equal(outcome.status, 0);
    assert.equal((await tsbuild.ok(['run', 'slow:1', 'sha256sum', '-c', '/sum'])).stdout, '/big: OK\n');
  });

  const filters: {
    flags: string[];
    goes(entry: { type: string; description: string; id: string }): boolean;
  }[] = [
    { flags: ['type=mount', 'id=filters'], goes: ({ type, id }) => type === 'mount' && id === '/filters' },
    { flags: ['type=exec.cachemount'], goes: ({ type }) => type === 'mount' },
    { flags: ['description~=COPY own'], goes: ({ description }) => description.includes('COPY own') },
    { flags: ['type=index', 'type!=mount'], goes: ({ type }) => type === 'index' },
    { flags: ['until=1h'], goes: () => false },
  ];
  for (const { flags, goes } of filters) {
    test(`prune --filter ${flags.join(' --filter ')} removes that and nothing else`, async () => {
      await fill('filters', 1);
      await fill('unfiltered', 1);
      const before = (await usage()).entries;
      const { removed } = await prune(...flags.map((flag) => `--filter=${flag}`));
      const left = new Set((await usage()).entries.map(({ type, id }) => `${type} ${id}`));
      const wanted = before.filter(goes).map(({ type, id }) => `${type} ${id}`);
      const gone = before.map(({ type, id }) => `${type} ${id}`).filter((each) => !left.has(each));
      // A file of the index whose blob stays belongs to the blob.
      assert.deepEqual(
        gone.filter((each) => !wanted.includes(each)),
        [],
      );
      assert.deepEqual(removed.map(({ type, id }) => `${type} ${id}`).sort(), gone.sort());
      if (flags.includes('until=1h')) assert.deepEqual(gone, []);
      else assert.ok(gone.length > 0);
    });
  }

  test('--no-stat-cache reads all files of the context and keeps no stat cache', async () => {
    const other = new Tsbuild(join(work, 'no-stat'));
    const context = writeTree(join(work, 'scratch'), {
      file: '1',
      Dockerfile: 'FROM scratch\nCOPY file /\n',
    });
    const args = ['build', '--progress=rawjson', '-o', 'type=cacheonly'];
    await other.ok([...args, '--no-stat-cache', context]);
    assert.ok(!(await listStore(other.root)).some((path) => path.startsWith('cache/stat')));
    assert.deepEqual(
      steps(await other.ok([...args, context])).ran.filter((name) => name.includes('COPY')),
      [],
    );
    assert.ok((await listStore(other.root)).some((path) => path.startsWith('cache/stat/')));
  });

  test('--min-free frees cache only while too little is free', async () => {
    await fill('free', 1);
    assert.deepEqual((await prune('--min-free=1')).removed, []);
    const all = await prune('--min-free=1000TB');
    assert.ok(all.removed.length > 0);
    await fill('free', 1);
    // The floor wins.
    assert.deepEqual((await prune('--min-free=1000TB', '--keep-storage=1000TB')).removed, []);
  });
});
