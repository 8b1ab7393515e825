/**
 * A disk that is full, at every place where a build writes: the store is on a small file system of its own, in a mount
 * namespace that the test holds. The error names the place and the way out, the store stays sound, and once there is
 * room the build comes to the right result.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { busyboxImage } from '../support/busybox.js';
import { command, type Outcome, succeed, Tsbuild } from '../support/command.js';
import { bin, imageName, rootless, workFolder } from '../support/env.js';
import { writeTree } from '../support/files.js';

/** Sizes of the file system in KiB: from what only lets the folders be made to what all but suffices. */
const sizes = [64, 700, 1400, 2500, 3300, 4200, 5200, 6400, 7400];
const enough = 64 * 1024;

describe('a full disk', { skip: rootless && 'a small file system needs root to be mounted' }, () => {
  let work: string;
  let context: string;
  let disk: string;
  let holder: ChildProcess;

  before(async () => {
    work = workFolder('full-disk');
    disk = join(work, 'disk');
    mkdirSync(disk);
    const elsewhere = new Tsbuild(join(work, 'elsewhere'));
    const base = imageName('full-disk-base:1');
    await elsewhere.ok(['tag', await busyboxImage(elsewhere, work), base]);
    await elsewhere.ok(['push', base]);
    context = writeTree(join(work, 'context'), {
      big: 'x'.repeat(900_000),
      Dockerfile: `FROM ${base} AS first
RUN dd if=/dev/urandom of=/made bs=100k count=9 2>/dev/null && sha256sum /made > /sum
FROM ${base}
COPY --from=first /made /sum /
COPY big /big
RUN --mount=type=cache,target=/cache dd if=/dev/zero of=/cache/file bs=100k count=4 2>/dev/null && sha256sum -c /sum
`,
    });
    holder = spawn('unshare', ['--mount', '--propagation', 'private', 'sleep', '1000'], { stdio: 'ignore' });
    await once(holder, 'spawn');
    // Until it has its own namespace.
    await succeed('sh', [
      '-c',
      `until [ "$(readlink /proc/${holder.pid}/ns/mnt)" != "$(readlink /proc/self/ns/mnt)" ]; do sleep 0.05; done`,
    ]);
  });
  after(() => {
    holder.kill();
  });

  const inside = (...words: string[]): Promise<Outcome> =>
    command('nsenter', ['--mount', '--target', String(holder.pid), ...words]);
  const tsbuild = (verb: string, ...args: string[]) =>
    inside(bin, verb, '--root', join(disk, 'store'), ...args);
  const mount = async (kilobytes: number, ...options: string[]) => {
    const all = [`size=${kilobytes}k`, ...options].join(',');
    const { stderr } = await inside('mount', '-t', 'tmpfs', '-o', all, 'tmpfs', disk);
    assert.equal(stderr, '');
  };
  const build = (output: string[]) => tsbuild('build', '--progress=plain', ...output, context);
  const rightResult = async () => {
    const ran = await tsbuild('run', 'full:1', 'sh', '-c', 'sha256sum -c /sum && wc -c < /big');
    assert.equal(ran.stdout, '/made: OK\n900000\n', ran.stderr);
  };

  /** What failed, for the report of what the sweep covered. */
  const places = new Set<string>();

  for (const [index, size] of sizes.entries()) {
    test(`of ${size} KiB`, async () => {
      await mount(size);
      try {
        const output =
          index % 2 === 0 ? ['-t', 'full:1'] : ['-t', 'full:1', '-o', `type=image,compression=gzip`];
        const failed = await build(output);
        assert.equal(failed.status, 1, failed.stderr);
        const text = failed.stderr.slice(failed.stderr.indexOf('ERROR'));
        assert.match(
          text,
          /no space left on the disk|No space left on device|disk of the store .* is full|exit code/,
          text,
        );
        assert.ok(text.includes(join(disk, 'store')), text);
        assert.match(text, /tsbuild prune/);
        assert.match(text, /--root/);
        places.add(/code: (TSB_\S+)/.exec(text)?.[1] ?? '');
        if (size > 64) {
          const checked = await tsbuild('fsck');
          assert.equal(checked.status, 0, `${checked.stdout}${checked.stderr}`);
        }
        const { stderr } = await inside('mount', '-o', `remount,size=${enough}k`, disk);
        assert.equal(stderr, '');
        const built = await build(output);
        assert.equal(built.status, 0, built.stderr);
        await rightResult();
        const last = await tsbuild('fsck');
        assert.match(last.stdout, /^no fault/m, `${last.stdout}${last.stderr}`);
      } finally {
        await inside('umount', disk);
      }
    });
  }

  test('the sweep met a full disk inside and outside of steps', () => {
    assert.deepEqual([...places].sort(), ['TSB_EXEC_FAILED', 'TSB_STORE_FULL']);
  });

  test('prune makes room on a full disk', async () => {
    await mount(12 * 1024);
    try {
      assert.equal((await build(['-t', 'full:1'])).status, 0);
      await inside('sh', '-c', `cat /dev/zero > ${disk}/filler`);
      const changed = writeTree(join(work, 'changed'), { Dockerfile: 'FROM scratch\nCOPY Dockerfile /\n' });
      const failed = await tsbuild('build', '-t', 'other', changed);
      assert.equal(failed.status, 1);
      assert.match(failed.stderr, /no space left on the disk/);
      const pruned = await tsbuild('prune', '--force');
      assert.match(pruned.stdout, /^freed \d/, pruned.stderr);
      const built = await tsbuild('build', '-t', 'other', changed);
      assert.equal(built.status, 0, built.stderr);
      assert.equal((await tsbuild('fsck')).status, 0);
    } finally {
      await inside('umount', disk);
    }
  });

  test('no inodes left are a full disk, too', async () => {
    await mount(enough, 'nr_inodes=120');
    try {
      const failed = await build(['-t', 'full:1']);
      assert.equal(failed.status, 1);
      assert.match(failed.stderr, /no space left on the disk: cannot write/);
      const { stderr } = await inside('mount', '-o', `remount,nr_inodes=100000`, disk);
      assert.equal(stderr, '');
      assert.equal((await build(['-t', 'full:1'])).status, 0);
      await rightResult();
      assert.equal((await tsbuild('fsck')).status, 0);
    } finally {
      await inside('umount', disk);
    }
  });
});
