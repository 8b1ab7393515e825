/**
 * The suites of snapshots and layers again as an ordinary user in the user namespace that `tsbuild-helper launch`
 * makes. As root, the user and its ranges exist only in a private mount namespace of the test.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as native from '@tsbuild/native';
import { inUserNamespace, isRoot } from './trees.js';

const id = 23457;
const suites = [
  './snapshotter.test.js',
  '../layer/unpack.test.js',
  '../layer/round-trip.test.js',
  '../layer/export-tree.test.js',
];
const fileOf = (suite: string): string => fileURLToPath(new URL(suite, import.meta.url));

function cannotRun(): string | false {
  if (!isRoot || inUserNamespace) return "needs the host's root to make a test user";
  for (const tool of ['/usr/bin/newuidmap', '/usr/bin/unshare', '/usr/bin/setpriv', native.helperPath]) {
    if (!existsSync(tool)) return `${tool} is missing`;
  }
  const readable = spawnSync('setpriv', [
    '--reuid',
    String(id),
    '--clear-groups',
    process.execPath,
    '--check',
    fileOf('./trees.js'),
  ]);
  if (readable.status !== 0) return 'other users cannot read this checkout';
  const probe = spawnSync(native.helperPath, ['probe'], { encoding: 'utf8' }).stdout;
  return /^userns=yes$/m.test(probe) ? false : 'no user namespaces here';
}

describe('in a user namespace', { skip: cannotRun() }, () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'tsbuild-userns-'));
    chmodSync(folder, 0o755);
    copyFileSync('/etc/passwd', join(folder, 'passwd'));
    appendFileSync(join(folder, 'passwd'), `tsbtest:x:${id}:${id}::/:/bin/sh\n`);
    writeFileSync(join(folder, 'ranges'), 'tsbtest:400000:65536\n');
    mkdirSync(join(folder, 'tmp'));
    chmodSync(join(folder, 'tmp'), 0o1777);
  });
  after(() => native.removeTree(native.AT_FDCWD, folder));

  for (const suite of suites) {
    test(suite, () => {
      const script = `
        mount --bind "$1/passwd" /etc/passwd; mount --bind "$1/ranges" /etc/subuid; mount --bind "$1/ranges" /etc/subgid
        dir=$1; shift
        exec setpriv --reuid ${id} --regid ${id} --clear-groups env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin TMPDIR="$dir/tmp" "$@"`;
      const command = [
        native.helperPath,
        'launch',
        '--',
        process.execPath,
        '--test',
        '--test-reporter=tap',
        fileOf(suite),
      ];
      const result = spawnSync('unshare', ['-m', 'sh', '-c', script, 'sh', folder, ...command], {
        encoding: 'utf8',
        timeout: 300_000,
      });
      assert.match(result.stdout, /^# pass [1-9]/m, result.stderr);
      assert.equal(result.status, 0, `${result.stdout}\n${result.stderr}`);
    });
  }
});
