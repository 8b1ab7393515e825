/**
 * The library as ordinary users have it: the suites of builds, streams and outputs again, with subordinate ids; that of
 * builds with one id only, too. The user and its ranges exist only in a private mount namespace of the test.
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
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { helperPath } from '@tsbuild/native';
import { missing } from './fixture.js';

const compiled = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const suites = ['./build.test.js', './streams.test.js', '../export/outputs.test.js'].map(compiled);
const id = 23457;

function cannotRun(): string | false {
  if (missing) return missing;
  if (process.getuid?.() !== 0) return 'these suites run as this user already';
  for (const tool of ['/usr/bin/newuidmap', '/usr/bin/unshare', '/usr/bin/setpriv'])
    if (!existsSync(tool)) return `${tool} is not installed`;
  if (!/^userns=yes$/m.test(spawnSync(helperPath, ['probe'], { encoding: 'utf8' }).stdout))
    return 'no user namespaces here';
  const check = ['--reuid', `${id}`, '--clear-groups', process.execPath, '--check', suites[0] ?? ''];
  return spawnSync('setpriv', check).status === 0 ? false : 'other users cannot read this checkout';
}

describe('as an ordinary user', { skip: cannotRun(), timeout: 900_000 }, () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'tsbuild-user-'));
    chmodSync(folder, 0o755);
    copyFileSync('/etc/passwd', join(folder, 'passwd'));
    appendFileSync(join(folder, 'passwd'), `tsbtest:x:${id}:${id}::/:/bin/sh\n`);
    writeFileSync(join(folder, 'ranges'), 'tsbtest:400000:65536\n');
    writeFileSync(join(folder, 'none'), '');
    mkdirSync(join(folder, 'tmp'));
    chmodSync(join(folder, 'tmp'), 0o1777);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs node as the user, whose subordinate ids are what `ranges` holds. */
  function asUser(ranges: 'ranges' | 'none', args: string[]) {
    const script = `
      mount --bind "$1/passwd" /etc/passwd; mount --bind "$1/$2" /etc/subuid; mount --bind "$1/$2" /etc/subgid
      dir=$1; shift 2
      exec setpriv --reuid ${id} --regid ${id} --clear-groups env -i PATH=/usr/bin:/bin TMPDIR="$dir/tmp" "$@"`;
    const command = ['-m', 'sh', '-c', script, 'sh', folder, ranges, process.execPath, ...args];
    return spawnSync('unshare', command, { encoding: 'utf8', timeout: 400_000 });
  }

  for (const [what, ranges, files] of [
    ['subordinate ids', 'ranges', suites],
    ['one id', 'none', suites.slice(0, 1)],
  ] as const)
    test(`the suites pass with ${what}, and nothing stays`, () => {
      const { status, stdout, stderr } = asUser(ranges, ['--test', '--test-reporter=tap', ...files]);
      assert.equal(status, 0, `${stdout}${stderr}`);
      assert.match(stdout, /^# pass \d\d$/m);
      assert.deepEqual(readdirSync(join(folder, 'tmp')), []);
    });

  test('that there is one id only is a notice', () => {
    const script = join(folder, 'notice.mjs');
    writeFileSync(
      script,
      `import { build } from ${JSON.stringify(new URL('../../src/index.js', import.meta.url).href)};
       const root = ${JSON.stringify(join(folder, 'tmp/notice'))};
       for await (const event of build({ root, dockerfileText: 'FROM scratch\\nLABEL a=b\\n' }))
         if (event.type === 'notice') console.log(event.message);`,
    );
    const { stdout, stderr } = asUser('none', [script]);
    assert.equal(stderr, '');
    assert.match(stdout, /^only your own user id is available in build steps/);
    assert.match(stdout, /^Run: sudo usermod --add-subuids /m);
  });
});
