/** Locks and leases: who waits for whom, and what is left of a process that is gone. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SnapshotId } from '@tsbuild/solver';
import { acquireLease, liveLeases } from '../../src/lease/lease.js';
import { tryLock, withLock } from '../../src/lease/lock.js';

let root: string;
let path: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tsbuild-lease-'));
  path = join(root, 'lock');
});
afterEach(() => rmSync(root, { recursive: true }));

const id = (name: string) => name as SnapshotId;

const pairs: [held: 'shared' | 'exclusive', wanted: 'shared' | 'exclusive', gets: boolean][] = [
  ['shared', 'shared', true],
  ['shared', 'exclusive', false],
  ['exclusive', 'shared', false],
  ['exclusive', 'exclusive', false],
];
for (const [held, wanted, gets] of pairs) {
  test(`beside a ${held} lock ${gets ? 'there is' : 'there is no'} ${wanted} one`, () => {
    const first = tryLock(path, held) as number;
    const second = tryLock(path, wanted);
    assert.equal(second !== undefined, gets);
    if (second !== undefined) closeSync(second);
    closeSync(first);
    const third = tryLock(path, wanted);
    assert.ok(third !== undefined, 'closing the descriptor releases it');
    closeSync(third);
  });
}

test('a lock file that was removed while one waited is not held by its ghost', () => {
  const first = tryLock(path, 'shared') as number;
  rmSync(path);
  const second = tryLock(path, 'exclusive');
  assert.ok(second !== undefined, 'the name has a new file');
  closeSync(first);
  assert.equal(tryLock(path, 'shared'), undefined);
  closeSync(second);
});

test('works under an exclusive lock never overlap, and leave no file', async () => {
  let inside = 0;
  const order: number[] = [];
  await Promise.all(
    [0, 1, 2, 3].map((number) =>
      withLock(path, 'exclusive', undefined, async () => {
        inside += 1;
        assert.equal(inside, 1);
        await sleep(2);
        order.push(number);
        inside -= 1;
      }),
    ),
  );
  assert.deepEqual(order.toSorted(), [0, 1, 2, 3]);
  assert.equal(existsSync(path), false);
});

test('a failing work releases the lock', async () => {
  await assert.rejects(
    withLock(path, 'exclusive', undefined, () => Promise.reject(new Error('work'))),
    /work/,
  );
  const fd = tryLock(path, 'exclusive');
  assert.ok(fd !== undefined);
  closeSync(fd);
});

test('an abort ends the waiting, and the work is never done', async () => {
  const held = tryLock(path, 'exclusive') as number;
  const controller = new AbortController();
  const waiting = withLock(path, 'shared', controller.signal, () => assert.fail('worked'));
  controller.abort(new Error('enough'));
  await assert.rejects(waiting, /enough/);
  closeSync(held);
  await assert.rejects(
    withLock(path, 'shared', controller.signal, () => assert.fail('worked')),
    /enough/,
  );
});

test('a lease names each snapshot once, before the check', async () => {
  const lease = await acquireLease(root);
  const file = join(root, 'leases', lease.id);
  const seen = await lease.use([id('a'), id('b')], () => readFileSync(file, 'utf8'));
  assert.equal(seen, 'a\nb\n');
  assert.equal(await lease.use([id('b'), id('c')], () => 'checked'), 'checked');
  assert.equal(readFileSync(file, 'utf8'), 'a\nb\nc\n');
  await assert.rejects(
    lease.use([id('d')], () => {
      throw new Error('gone');
    }),
    /gone/,
  );
  assert.deepEqual([...liveLeases(root).snapshots].toSorted(), ['a', 'b', 'c', 'd']);
  await lease.release();
  assert.deepEqual(liveLeases(root), { snapshots: new Set(), live: [], dead: [] });
});

test('a released lease leaves nothing, also when it is released twice', async () => {
  const lease = await acquireLease(root);
  mkdirSync(join(lease.tmp, 'a/b'), { recursive: true });
  writeFileSync(join(lease.tmp, 'a/b/c'), '');
  await lease.release();
  await lease.release();
  assert.deepEqual(
    ['leases', 'tmp'].map((folder) => readdirSync(join(root, folder))),
    [[], []],
  );
});

test('waits while prune holds the collector lock', async () => {
  const first = await acquireLease(root);
  const gc = tryLock(join(root, 'locks/gc.lock'), 'exclusive') as number;
  let used = false;
  const using = first.use([id('a')], () => {
    used = true;
  });
  await sleep(30);
  assert.equal(used, false);
  assert.deepEqual(liveLeases(root).snapshots, new Set());
  closeSync(gc);
  await using;
  assert.equal(used, true);
  await first.release();
});

test('the lease of a killed process is dead, and what it names is not used', async () => {
  const live = await acquireLease(root);
  await live.use([id('mine')], () => undefined);
  const module = new URL('../../src/lease/lease.js', import.meta.url).href;
  const code = `const { acquireLease } = await import(${JSON.stringify(module)});
    const lease = await acquireLease(${JSON.stringify(root)});
    await lease.use(['theirs'], () => undefined);
    console.log(lease.id);
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const name = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString().trim()));
    child.once('exit', () => reject(new Error('the other process ended')));
  });
  const both = liveLeases(root);
  assert.deepEqual([both.live.toSorted(), both.dead], [[live.id, name].toSorted(), []]);
  assert.deepEqual(
    both.snapshots,
    new Set(both.live[0] === live.id ? ['mine', 'theirs'] : ['theirs', 'mine']),
  );
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
  assert.deepEqual(liveLeases(root), { snapshots: new Set(['mine']), live: [live.id], dead: [name] });
  await live.release();
});

test('a line that is not finished names nothing', async () => {
  const lease = await acquireLease(root);
  writeFileSync(join(root, 'leases', lease.id), 'whole\nhal');
  assert.deepEqual(liveLeases(root).snapshots, new Set(['whole']));
  await lease.release();
});
