/** Cache mounts that are filled from elsewhere when they are new or empty. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type CacheMount, holdCache, type RestoreCache } from '../../src/run/cache-mounts.js';

const never = new AbortController().signal;
const mount = (sharing: CacheMount['sharing'] = 'shared'): CacheMount => ({
  type: 'cache',
  target: '/c',
  id: '/npm',
  sharing,
  source: '/',
  readonly: false,
  mode: 0o750,
  uid: 5,
  gid: 6,
});

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'tsbuild-cache-mounts-'));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

/** Restores one file, and counts. */
function restorer(): RestoreCache & { calls: number } {
  const restore = async (_: unknown, directory: string) => {
    result.calls++;
    assert.deepEqual(readdirSync(directory), []);
    writeFileSync(join(directory, 'file'), 'saved');
    return true;
  };
  const result = Object.assign(restore, { calls: 0 });
  return result;
}

for (const sharing of ['shared', 'private', 'locked'] as const) {
  test(`a new ${sharing} cache is restored, once`, async (t) => {
    const root = folder(t);
    const restore = restorer();
    for (let i = 0; i < 2; i++) {
      const held = await holdCache(root, mount(sharing), { restore }, never);
      assert.equal(readFileSync(join(held.path, 'file'), 'utf8'), 'saved');
      held.release();
    }
    assert.equal(restore.calls, 1);
  });
}

test('a cache that holds something is left as it is', async (t) => {
  const root = folder(t);
  const first = await holdCache(root, mount(), {}, never);
  writeFileSync(join(first.path, 'own'), '');
  first.release();
  const restore = restorer();
  const second = await holdCache(root, mount(), { restore }, never);
  assert.deepEqual([readdirSync(second.path), restore.calls], [['own'], 0]);
  second.release();
});

test('an empty cache is restored, unless someone else uses it right now', async (t) => {
  const root = folder(t);
  const user = await holdCache(root, mount(), {}, never);
  const restore = restorer();
  const beside = await holdCache(root, mount(), { restore }, never);
  assert.deepEqual([readdirSync(beside.path), restore.calls], [[], 0]);
  beside.release();
  user.release();
  const later = await holdCache(root, mount(), { restore }, never);
  assert.deepEqual([readdirSync(later.path), restore.calls], [['file'], 1]);
  later.release();
});

test('many that come to a new cache at once share what one of them restores', async (t) => {
  const root = folder(t);
  const restore = restorer();
  const held = await Promise.all(
    Array.from({ length: 8 }, () => holdCache(root, mount(), { restore }, never)),
  );
  assert.equal(restore.calls, 1);
  for (const { path, release } of held) {
    assert.deepEqual(readdirSync(path), ['file']);
    release();
  }
});

test('where nothing is restored the cache is new as ever, and what was written is gone', async (t) => {
  const root = folder(t);
  const held = await holdCache(
    root,
    mount(),
    {
      restore: async (_, directory) => {
        writeFileSync(join(directory, 'half'), '');
        return false;
      },
    },
    never,
  );
  const { mode, uid, gid } = statSync(held.path);
  assert.deepEqual([readdirSync(held.path), mode & 0o7777, uid, gid], [[], 0o750, 5, 6]);
  assert.deepEqual(readdirSync(dirname(held.path)).sort(), ['fs', 'id', 'lock']);
  held.release();
});

test('a restore that throws leaves nothing and gives the lock back', async (t) => {
  const root = folder(t);
  const restore = async (_: unknown, directory: string) => {
    mkdirSync(join(directory, 'half'));
    throw new Error('cancelled');
  };
  await assert.rejects(holdCache(root, mount(), { restore }, never), /cancelled/);
  const [name = ''] = readdirSync(root);
  assert.deepEqual(readdirSync(join(root, name)), ['lock']);
  (await holdCache(root, mount('locked'), {}, never)).release();
});

test('what a killed process left half restored is removed', async (t) => {
  const root = folder(t);
  const held = await holdCache(root, mount(), {}, never);
  const rest = join(dirname(held.path), 'fs.rest');
  held.release();
  mkdirSync(rest);
  rmSync(held.path, { recursive: true });
  (await holdCache(root, mount(), { restore: restorer() }, never)).release();
  assert.equal(existsSync(rest), false);
});

test('a cache that begins with what from gives is not restored', async (t) => {
  const root = folder(t);
  const restore = restorer();
  const source = {
    identity: 'x',
    fill: async (directory: string) => writeFileSync(join(directory, 'seed'), ''),
  };
  const held = await holdCache(root, mount(), { source, restore }, never);
  assert.deepEqual([readdirSync(held.path), restore.calls], [['seed'], 0]);
  held.release();
});
