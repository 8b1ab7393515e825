/** The README's first command, in a fresh clone in an empty folder. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { succeed } from '../support/command.js';
import { rootless, workFolder } from '../support/env.js';

test('npm run quickstart builds and runs the hello image from a fresh clone', async (t) => {
  const repository = process.env['TSBUILD_TEST_CLONE'];
  if (!repository) return t.skip('this checkout is no git clone');
  const work = workFolder('quickstart');
  const clone = join(work, 'tsbuild');
  await succeed('git', ['clone', '--quiet', repository, clone]);
  const home = join(work, 'home');
  mkdirSync(home);
  const env = {
    ...process.env,
    HOME: home,
    XDG_DATA_HOME: join(home, 'data'),
    TSBUILD_ROOT: join(home, 'store'),
  };
  const outcome = await succeed('npm', ['run', 'quickstart'], { cwd: clone, env, limit: 800 });
  const text = outcome.stdout + outcome.stderr;
  t.diagnostic(`quickstart took ${outcome.seconds.toFixed(0)} s${rootless ? ' rootless' : ''}`);
  assert.match(text, /HELLO FROM TSBUILD\nbuilt by Linux as uid 0\n/);
  assert.match(text, /^built hello:quickstart (sha256:[0-9a-f]{64})$[\s\S]*^Digest: \1$/m);
  assert.match(text, /\[build \d\/\d\] RUN tr/, 'the steps are shown');
});
