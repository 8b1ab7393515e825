/**
 * The sandbox tests again, as an ordinary user: started through `tsbuild-helper launch` with subordinate ids, and with
 * one id only. As root, the user and its ranges exist only in a private mount namespace of the test.
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
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { helperPath } from '@tsbuild/native';

const suite = fileURLToPath(new URL('./sandbox.test.js', import.meta.url));
const stepSuite = fileURLToPath(new URL('./step.test.js', import.meta.url));
const id = 23456;

function cannotRun(): string | false {
  if (process.getuid?.() !== 0 || process.env['TSBUILD_LAUNCHED'] === '1')
    return "needs the host's root to make a test user";
  for (const tool of ['/usr/bin/newuidmap', '/usr/bin/unshare', '/usr/bin/setpriv']) {
    if (!existsSync(tool)) return `${tool} is not installed`;
  }
  if (!existsSync(helperPath)) return 'the native parts are not built';
  const readable = spawnSync('setpriv', [
    '--reuid',
    String(id),
    '--clear-groups',
    process.execPath,
    '--check',
    suite,
  ]);
  if (readable.status !== 0) return 'other users cannot read this checkout';
  const userns = spawnSync(helperPath, ['probe'], { encoding: 'utf8' }).stdout;
  return /^userns=yes$/m.test(userns) ? false : 'no user namespaces here';
}

describe('as an ordinary user', { skip: cannotRun() }, () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'tsbuild-rootless-'));
    chmodSync(folder, 0o755);
    copyFileSync('/etc/passwd', join(folder, 'passwd'));
    appendFileSync(join(folder, 'passwd'), `tsbtest:x:${id}:${id}::/:/bin/sh\n`);
    writeFileSync(join(folder, 'ranges'), 'tsbtest:300000:65536\n');
    writeFileSync(join(folder, 'none'), '');
    mkdirSync(join(folder, 'tmp'));
    chmodSync(join(folder, 'tmp'), 0o1777);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs a command as the test user, whose subordinate ids are what `ranges` holds. */
  function asUser(ranges: 'ranges' | 'none', command: string[]) {
    const script = `
      mount --bind "$1/passwd" /etc/passwd; mount --bind "$1/$2" /etc/subuid; mount --bind "$1/$2" /etc/subgid
      dir=$1; shift 2
      exec setpriv --reuid ${id} --regid ${id} --clear-groups env -i PATH=/usr/bin:/bin TMPDIR="$dir/tmp" "$@"`;
    return spawnSync('unshare', ['-m', 'sh', '-c', script, 'sh', folder, ranges, ...command], {
      encoding: 'utf8',
      timeout: 300_000,
    });
  }

  test('launch maps all ids and keeps the process id', () => {
    const shown = 'id -u; cat /proc/self/uid_map; env | grep ^TSBUILD | sort; grep CapEff /proc/self/status';
    const { stdout } = asUser('ranges', [helperPath, 'launch', '--', 'sh', '-c', shown]);
    assert.deepEqual(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.trim().replace(/\s+/g, ' ')),
      [
        '0',
        `0 ${id} 1`,
        '1 300000 65536',
        'TSBUILD_LAUNCHED=1',
        'TSBUILD_USERNS=1',
        stdout.includes('000001ffffffffff') ? 'CapEff: 000001ffffffffff' : 'CapEff: 000003ffffffffff',
      ],
    );
    const pid = asUser('ranges', [
      'sh',
      '-c',
      'echo $$; exec "$0" launch -- sh -c "echo \\$\\$"',
      helperPath,
    ]);
    const [before, during] = pid.stdout.trim().split('\n');
    assert.equal(before, during);
  });

  test('launch without ranges maps one id and says how to get more', () => {
    const { stdout, stderr } = asUser('none', [
      helperPath,
      'launch',
      '--',
      'sh',
      '-c',
      'cat /proc/self/uid_map; echo $TSBUILD_SINGLE_ID',
    ]);
    assert.equal(stdout.trim().replace(/\s+/g, ' '), `0 ${id} 1 1`);
    assert.match(stderr, /only your own user id is available.*\/etc\/subuid has no range for you/);
    assert.match(stderr, /usermod --add-subuids 100000-165535 --add-subgids 100000-165535 tsbtest/);
  });

  test('launch passes on the exit status, and says what cannot be started', () => {
    assert.equal(asUser('ranges', [helperPath, 'launch', '--', 'sh', '-c', 'exit 9']).status, 9);
    const missing = asUser('ranges', [helperPath, 'launch', '--', 'no-such-program']);
    assert.deepEqual(
      [missing.status, missing.stderr],
      [127, 'tsbuild: cannot start no-such-program: No such file or directory\n'],
    );
  });

  for (const [what, ranges] of [
    ['subordinate ids', 'ranges'],
    ['one id', 'none'],
  ] as const) {
    test(`the sandbox tests pass with ${what}`, () => {
      const { status, stdout, stderr } = asUser(ranges, [
        helperPath,
        'launch',
        '--',
        process.execPath,
        '--test',
        '--test-reporter=tap',
        suite,
        stepSuite,
      ]);
      assert.equal(status, 0, `${stdout}${stderr}`);
      assert.match(stdout, /^# pass (4|5)\d$/m);
    });
  }
});
