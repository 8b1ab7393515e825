import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { RunMount } from '@tsbuild/solver';
import { parseCacheMount } from '../../../src/cli/cache-mount.js';
import { unusedMounts } from '../../../src/remote-cache/mounts/unused.js';
import { wantedMounts } from '../../../src/remote-cache/mounts/wanted.js';
import { folder } from './fixture.js';

test('--cache-mount as it is written', () => {
  const cases: [string, ReturnType<typeof parseCacheMount>][] = [
    ['id=npm', { id: 'npm' }],
    ['id=/root/.npm,key=package-lock.json', { id: '/root/.npm', key: ['package-lock.json'] }],
    ['key=a:sub/b,id=x,max=2g', { id: 'x', key: ['a', 'sub/b'], maxBytes: 2 * 1024 ** 3 }],
    ['id=x,"key=a,b"', { id: 'x', key: ['a,b'] }],
  ];
  for (const [text, spec] of cases) assert.deepEqual(parseCacheMount(text), spec, text);
  for (const text of ['', 'npm', 'id', 'id=', 'key=a', 'id=x,keys=a', 'id=x,max=', 'id=x,max=much']) {
    assert.throws(() => parseCacheMount(text), { code: 'TSB_USAGE_BAD_VALUE' }, text);
  }
});

test('a key is the names and contents of its files, in whatever order they are given', (t) => {
  const context = folder(t);
  const write = (name: string, text: string) => writeFileSync(join(context, name), text);
  write('a', '1');
  write('b', '2');
  const keyOf = (...key: string[]) => wantedMounts([{ id: 'npm', key }], undefined, context)[0]?.key;
  const key = keyOf('a', 'b');
  assert.match(key ?? '', /^sha256:[0-9a-f]{64}$/);
  assert.equal(keyOf('b', 'a'), key);
  assert.notEqual(keyOf('a'), key);
  write('a', '2');
  write('b', '1');
  assert.notEqual(keyOf('a', 'b'), key);
  assert.equal(keyOf(), undefined);
});

test('ids have the name space of the build before them', () => {
  const idOf = (namespace?: string) => wantedMounts([{ id: 'npm' }], namespace, undefined)[0]?.id;
  assert.deepEqual([idOf(), idOf('ci')], ['/npm', 'ci/npm']);
});

test('what cannot be meant is refused', (t) => {
  const context = folder(t);
  mkdirSync(join(context, 'directory'));
  symlinkSync('/etc/hostname', join(context, 'out'));
  const wanted = (id: string, ...key: string[]) => wantedMounts([{ id, key }], undefined, context);
  assert.throws(() => wanted(''), { code: 'TSB_USAGE_CACHE_MOUNT' });
  assert.throws(() => wantedMounts([{ id: 'a' }, { id: 'a' }], undefined, context), {
    code: 'TSB_USAGE_CACHE_MOUNT',
  });
  for (const file of [
    'missing',
    'directory',
    'out',
    '../../../../../../../../etc/hostname',
    '/etc/hostname',
    '',
  ]) {
    assert.throws(() => wanted('npm', file), { code: 'TSB_CONTEXT_CACHE_KEY' }, file);
  }
  assert.throws(() => wantedMounts([{ id: 'npm', key: ['a'] }], undefined, undefined), {
    code: 'TSB_CONTEXT_CACHE_KEY',
  });
});

test('names that do nothing are told', () => {
  const mount = (id: string, from?: string) =>
    ({ type: 'cache', id, ...(from === undefined ? {} : { from }) }) as unknown as RunMount;
  const op = { kind: 'run', mounts: [mount('/npm'), mount('/seeded', 'v')] };
  const plans = [{ vertices: new Map([['v', { op }]]) }] as unknown as Parameters<typeof unusedMounts>[1];
  const messages = (ids: string[], caches: Parameters<typeof unusedMounts>[2]) =>
    unusedMounts(
      wantedMounts(
        ids.map((id) => ({ id })),
        undefined,
        undefined,
      ),
      plans,
      caches,
    );
  const caches = { cacheFrom: [{ type: 'registry', ref: 'x' } as const] };
  assert.deepEqual(messages(['npm'], caches), []);
  assert.deepEqual(messages(['nmp', 'seeded'], caches), [
    '--cache-mount id=nmp has no effect: no step of this build has such a mount (did you mean npm?)',
    '--cache-mount id=seeded has no effect: the mount begins with what its "from" names, and does not travel',
  ]);
  assert.deepEqual(messages([], {}), []);
  for (const none of [{}, { cacheTo: [{ type: 'inline' } as const] }]) {
    assert.match(messages(['npm'], none).join(), /^--cache-mount has no effect without/);
  }
});
