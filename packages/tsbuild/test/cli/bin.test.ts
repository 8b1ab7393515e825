import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../../../bin/tsbuild', import.meta.url));
const bundle = fileURLToPath(new URL('../../bundle/cli.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tsbuild-bin-'));
after(() => rmSync(folder, { recursive: true }));

function start(program: string, words: string[], env: NodeJS.ProcessEnv = process.env) {
  const run = spawnSync(program, words, { encoding: 'utf8', env, timeout: 20_000 });
  return { status: run.status, stdout: run.stdout, stderr: run.stderr };
}

/** A package folder with the script in it, and a bundle that says how it was called. */
function packageWith(name: string, cli: string | undefined): string {
  const home = join(folder, name);
  mkdirSync(join(home, 'bin'), { recursive: true });
  cpSync(bin, join(home, 'bin/tsbuild'));
  if (cli !== undefined) {
    mkdirSync(join(home, 'dist/bundle'), { recursive: true });
    writeFileSync(join(home, 'dist/bundle/cli.mjs'), cli);
  }
  return join(home, 'bin/tsbuild');
}

const echo = 'console.log(JSON.stringify(process.argv.slice(2)))';

test('a missing bundle is told with the command that makes it', () => {
  const { status, stderr } = start(packageWith('no-bundle', undefined), ['version']);
  assert.equal(status, 125);
  assert.match(stderr, /^ERROR: tsbuild is not built yet/);
  assert.match(stderr, /try: Run: npm run build\n {2}code: TSB_HOST_NOT_BUILT\n$/);
});

test('a missing native part is told, but not to commands that need none', () => {
  const program = packageWith('no-native', echo);
  for (const words of [
    ['version'],
    ['--help'],
    [],
    ['completion', 'bash'],
    ['doctor'],
    ['build', '--help'],
    ['run', '-h'],
  ]) {
    assert.deepEqual(start(program, words), { status: 0, stdout: `${JSON.stringify(words)}\n`, stderr: '' });
  }
  for (const words of [['.'], ['build', '.'], ['run', 'app', 'sh', '--help'], ['rmi', '--', '--help']]) {
    const { status, stderr } = start(program, words);
    assert.equal(status, 125, words.join(' '));
    assert.match(stderr, /code: TSB_HOST_NATIVE_MISSING\n$/);
  }
});

test('a missing node is told', () => {
  const { status, stderr } = start(packageWith('no-node', echo), ['version'], {
    ...process.env,
    TSBUILD_NODE: '/nonexistent/node',
  });
  assert.equal(status, 125);
  assert.match(stderr, /code: TSB_HOST_NO_NODE\n$/);
});

test('links to the script are followed, relative and absolute ones', () => {
  const program = packageWith('linked dir', echo);
  mkdirSync(join(folder, 'node_modules/.bin'), { recursive: true });
  symlinkSync('../../linked dir/bin/tsbuild', join(folder, 'node_modules/.bin/tsbuild'));
  symlinkSync(join(folder, 'node_modules/.bin/tsbuild'), join(folder, 'again'));
  for (const link of [join(folder, 'node_modules/.bin/tsbuild'), join(folder, 'again'), program]) {
    assert.deepEqual(start(link, ['version', 'a b', '']), {
      status: 0,
      stdout: '["version","a b",""]\n',
      stderr: '',
    });
  }
});

test('the real bundle answers', { skip: existsSync(bundle) ? false : 'the bundle is not built' }, () => {
  const version = start(bin, ['version']);
  assert.deepEqual([version.status, version.stderr], [0, '']);
  assert.match(version.stdout, /^tsbuild \d+\.\d+\.\d+/);
  const wrong = start(bin, ['help', 'biuld']);
  assert.equal(wrong.status, 2);
  assert.match(wrong.stderr, /Did you mean "tsbuild build"\?/);
});
