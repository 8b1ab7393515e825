import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { acquireLock, tryLock } from '../../src/store/lock.js';

const folder = mkdtempSync(join(tmpdir(), 'tsbuild-lock-'));
after(() => rmSync(folder, { recursive: true }));

test('one holder at a time, in one process too; the file goes with the last', async () => {
  const path = join(folder, 'one');
  const order: string[] = [];
  const first = await acquireLock(path, 'exclusive');
  const second = acquireLock(path, 'exclusive').then((lock) => {
    order.push('second has it');
    lock.release();
  });
  await sleep(60);
  order.push('first lets go');
  first.release();
  await second;
  assert.deepEqual(order, ['first lets go', 'second has it']);
  assert.equal(existsSync(path), false);
});

test('shared holders exclude an exclusive one only', () => {
  const path = join(folder, 'shared');
  const a = tryLock(path, 'shared');
  const b = tryLock(path, 'shared');
  assert.ok(a && b);
  assert.equal(tryLock(path, 'exclusive'), undefined);
  a.release();
  b.release();
  tryLock(path, 'exclusive')?.release();
  assert.deepEqual(readdirSync(folder), []);
});

test('fifty holders at once are never two', async () => {
  const path = join(folder, 'many');
  let inside = 0;
  await Promise.all(
    Array.from({ length: 50 }, async () => {
      const lock = await acquireLock(path, 'exclusive');
      inside++;
      assert.equal(inside, 1);
      await sleep(0);
      inside--;
      lock.release();
    }),
  );
});

test('waiting ends with the signal', async () => {
  const path = join(folder, 'abort');
  const held = await acquireLock(path, 'exclusive');
  const controller = new AbortController();
  const waiting = acquireLock(path, 'exclusive', controller.signal);
  controller.abort(new Error('enough'));
  await assert.rejects(waiting, /enough/);
  held.release();
});

test('a killed holder holds nothing', async () => {
  const path = join(folder, 'killed');
  const module = new URL('../../src/store/lock.js', import.meta.url).href;
  const script = `const { tryLock } = await import(${JSON.stringify(module)});
    tryLock(${JSON.stringify(path)}, 'exclusive'); console.log('held'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  assert.equal(tryLock(path, 'exclusive'), undefined);
  child.kill('SIGKILL');
  await once(child, 'close');
  const lock = tryLock(path, 'exclusive');
  assert.ok(lock);
  lock.release();
});
