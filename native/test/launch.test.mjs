/** The launcher, as a program: what it says where it cannot make its namespaces. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { helperPath } from '@tsbuild/native';

const isRoot = process.getuid() === 0;

test('in a plain chroot, the launcher says that the root is no mount point and how to make it one', {
  skip: isRoot ? false : 'chroot needs root',
}, () => {
  const root = mkdtempSync(join(tmpdir(), 'tsbuild-chroot-'));
  try {
    mkdirSync(join(root, 'proc'));
    copyFileSync(helperPath, join(root, 'helper'));
    const script = 'mount -t proc proc "$1/proc" && exec chroot "$1" /helper launch -- /helper probe';
    const { status, stdout, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', script, 'sh', root], {
      encoding: 'utf8',
      timeout: 20_000,
    });
    assert.equal(stdout, '');
    const [first, second] = stderr.split('\n');
    assert.equal(first, 'tsbuild: cannot make mounts private: Invalid argument');
    assert.match(second, /^The root folder is not a mount point/);
    assert.equal(status, 125);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
