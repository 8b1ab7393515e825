/** Sharing modes of RUN cache mounts between processes: each holder here is a process of its own. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type CacheMount, holdCache } from '../../src/run/cache-mounts.js';

const options = { timeout: 300_000 };
const module = new URL('../../src/run/cache-mounts.js', import.meta.url).href;

/** Says `waits`, holds the cache, says its path, and lets go when its standard input ends. */
const program = `
  import { writeFileSync } from 'node:fs';
  import { holdCache } from ${JSON.stringify(module)};
  const [root, mount, fillMs] = JSON.parse(process.argv[1]);
  const fill = async (directory) => {
    writeFileSync(directory + '/half', '');
    console.log('fills');
    await new Promise((resolve) => setTimeout(resolve, fillMs));
    writeFileSync(directory + '/whole', String(process.pid));
  };
  const contents = fillMs === null ? {} : { source: { identity: 'origin', fill } };
  console.log('waits');
  const held = await holdCache(root, mount, contents, new AbortController().signal);
  console.log(held.path);
  process.stdin.resume().on('end', () => held.release());
`;

interface Holder {
  child: ChildProcess;
  /** The next line it says. */
  says(): Promise<string>;
  /** Whether it has said nothing for a while. */
  isSilent(): Promise<boolean>;
  release(): Promise<void>;
  kill(): Promise<void>;
}

const mount = (sharing: CacheMount['sharing'], more: Partial<CacheMount> = {}): CacheMount => ({
  type: 'cache',
  target: '/c',
  id: '/npm',
  sharing,
  source: '/',
  readonly: false,
  mode: 0o755,
  uid: 0,
  gid: 0,
  ...more,
});

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'tsbuild-cache-sharing-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function hold(t: TestContext, root: string, cache: CacheMount, fillMs?: number): Promise<Holder> {
  const child = spawn(
    process.execPath,
    ['--input-type=module', '-e', program, JSON.stringify([root, cache, fillMs ?? null])],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  t.after(() => child.kill('SIGKILL'));
  const lines: string[] = [];
  let wake = () => {};
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    wake();
  });
  const ended = once(child, 'exit');
  const holder: Holder = {
    child,
    async says() {
      while (lines.length === 0)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      return lines.shift() as string;
    },
    async isSilent() {
      await delay(400);
      return lines.length === 0;
    },
    async release() {
      child.stdin.end();
      await ended;
    },
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
  assert.equal(await holder.says(), 'waits');
  return holder;
}

test('shared: all at the same time in the same directory', options, async (t) => {
  const root = folder(t);
  const holders = await Promise.all([1, 2, 3].map(() => hold(t, root, mount('shared'))));
  const paths = await Promise.all(holders.map((holder) => holder.says()));
  assert.equal(new Set(paths).size, 1);
  for (const holder of holders) await holder.release();
});

for (const end of ['release', 'kill'] as const)
  test(
    `locked: one after the other, and the next when the first ${end === 'kill' ? 'is killed' : 'lets go'}`,
    options,
    async (t) => {
      const root = folder(t);
      const first = await hold(t, root, mount('locked'));
      const path = await first.says();
      writeFileSync(join(path, 'kept'), 'by the first');
      const second = await hold(t, root, mount('locked'));
      assert.ok(await second.isSilent());
      await first[end]();
      assert.equal(await second.says(), path);
      assert.equal(readFileSync(join(path, 'kept'), 'utf8'), 'by the first');
      await second.release();
    },
  );

test('private: each its own, and the first that is free is taken again', options, async (t) => {
  const root = folder(t);
  const [one, two] = [await hold(t, root, mount('private')), await hold(t, root, mount('private'))];
  const paths = [await one.says(), await two.says()];
  assert.equal(new Set(paths).size, 2);
  await two.kill();
  const three = await hold(t, root, mount('private'));
  assert.equal(await three.says(), paths[1]);
  await one.release();
  await three.release();
});

for (const [first, second] of [
  ['shared', 'locked'],
  ['locked', 'shared'],
] as const)
  test(`${second} waits for ${first}`, options, async (t) => {
    const root = folder(t);
    const holder = await hold(t, root, mount(first));
    const path = await holder.says();
    const waiter = await hold(t, root, mount(second));
    assert.ok(await waiter.isSilent());
    await holder.release();
    assert.equal(await waiter.says(), path);
    await waiter.release();
  });

test('private takes another one where a cache is shared', options, async (t) => {
  const root = folder(t);
  const holder = await hold(t, root, mount('shared'));
  const other = await hold(t, root, mount('private'));
  assert.notEqual(await holder.says(), await other.says());
  await holder.release();
  await other.release();
});

test('what from gives is filled in once, and nobody sees half of it', options, async (t) => {
  const root = folder(t);
  const first = await hold(t, root, mount('shared'), 700);
  assert.equal(await first.says(), 'fills');
  const others = await Promise.all([1, 2].map(() => hold(t, root, mount('shared'), 0)));
  const paths = await Promise.all([first, ...others].map((holder) => holder.says()));
  assert.equal(new Set(paths).size, 1);
  assert.equal(readFileSync(join(paths[0] ?? '', 'whole'), 'utf8'), String(first.child.pid));
  for (const holder of [first, ...others]) await holder.release();
});

test('what a killed process has half filled in is filled in anew', options, async (t) => {
  const root = folder(t);
  const first = await hold(t, root, mount('shared'), 600_000);
  assert.equal(await first.says(), 'fills');
  await first.kill();
  const second = await hold(t, root, mount('shared'), 0);
  assert.equal(await second.says(), 'fills');
  const path = await second.says();
  assert.equal(readFileSync(join(path, 'whole'), 'utf8'), String(second.child.pid));
  assert.deepEqual(
    readdirSync(dirname(path)).filter((name) => name.startsWith('fs')),
    ['fs'],
  );
  await second.release();
});

test('ids are names of folders by their digest, whatever is in them', async (t) => {
  const root = folder(t);
  const ids = ['/npm', '/npm/', '../../etc', '/a/../b', '', ' ', 'ü', 'x'.repeat(5000), '/npm\n', '.', '..'];
  const names = new Set<string>();
  for (const id of ids) {
    const held = await holdCache(root, mount('shared', { id }), {}, new AbortController().signal);
    assert.equal(dirname(dirname(held.path)), root);
    assert.match(basename(dirname(held.path)), /^[0-9a-f]{64}$/);
    assert.equal(readFileSync(join(dirname(held.path), 'id'), 'utf8'), id);
    names.add(held.path);
    held.release();
  }
  assert.equal(names.size, ids.length);
  assert.ok(!existsSync(join(root, '../../etc/fs')));
});

test('caches of one id that begin with other contents are other caches', async (t) => {
  const root = folder(t);
  const paths = new Set<string>();
  for (const identity of ['', 'one', 'two', 'one']) {
    const origin = {
      identity,
      fill: async (directory: string) => writeFileSync(join(directory, 'f'), identity),
    };
    const contents = identity === '' ? {} : { source: origin };
    const held = await holdCache(root, mount('shared'), contents, new AbortController().signal);
    assert.equal(existsSync(join(held.path, 'f')), identity !== '');
    paths.add(held.path);
    held.release();
  }
  assert.equal(paths.size, 3);
});
