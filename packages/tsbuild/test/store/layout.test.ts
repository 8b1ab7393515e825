import assert from 'node:assert/strict';
import {
  chownSync,
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
import { after, test } from 'node:test';
import { defaultRoot, prepareStore } from '../../src/store/layout.js';

const folder = mkdtempSync(join(tmpdir(), 'tsbuild-layout-'));
after(() => rmSync(folder, { recursive: true }));

test("a new store is an OCI layout with the store's own folders beside it", () => {
  const root = join(folder, 'deep/er/store');
  prepareStore(root);
  prepareStore(root);
  assert.deepEqual(readdirSync(root).sort(), [
    'cache',
    'leases',
    'locks',
    'mounts',
    'oci',
    'snapshots',
    'tmp',
    'version',
  ]);
  assert.deepEqual(JSON.parse(readFileSync(join(root, 'oci/oci-layout'), 'utf8')), {
    imageLayoutVersion: '1.0.0',
  });
  assert.ok(existsSync(join(root, 'oci/blobs/sha256')));
  assert.deepEqual(readdirSync(join(root, 'tmp')), []);
});

test('the default follows the XDG base directories; root has /var/lib', () => {
  const cases: [NodeJS.ProcessEnv, string][] = [
    [{ TSBUILD_ROOT: '/x', HOME: '/home/u' }, '/x'],
    [{ TSBUILD_USERNS: '1', HOME: '/home/u' }, '/home/u/.local/share/tsbuild'],
    [{ TSBUILD_USERNS: '1', HOME: '/home/u', XDG_DATA_HOME: '/data' }, '/data/tsbuild'],
    [{ TSBUILD_USERNS: '1', HOME: '/home/u', XDG_DATA_HOME: 'relative' }, '/home/u/.local/share/tsbuild'],
    ...(process.getuid?.() === 0
      ? [[{ HOME: '/root' }, '/var/lib/tsbuild'] as [NodeJS.ProcessEnv, string]]
      : []),
  ];
  for (const [env, expected] of cases) assert.equal(defaultRoot(env), expected);
});

test('a store of another format is refused', () => {
  const root = join(folder, 'future');
  mkdirSync(root);
  writeFileSync(join(root, 'version'), '99\n');
  assert.throws(() => prepareStore(root), { code: 'TSB_STORE_VERSION' });
});

test('a store of another user is refused', {
  skip: process.getuid?.() === 0 ? false : 'needs root to make one',
}, () => {
  const root = join(folder, 'others');
  prepareStore(root);
  chownSync(root, 12345, 12345);
  assert.throws(() => prepareStore(root), { code: 'TSB_STORE_OTHER_OWNER' });
});

test('a file system without links and modes is refused', {
  skip: existsSync('/proc/self') ? false : 'no /proc',
}, () => {
  assert.throws(() => prepareStore('/proc/tsbuild-store'), { code: 'TSB_STORE_UNUSABLE' });
});
