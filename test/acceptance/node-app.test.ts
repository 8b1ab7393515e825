/** A Node application whose dependencies npm installs in a RUN step; one changed source file reruns the last COPY alone. */
import assert from 'node:assert/strict';
import { appendFileSync, cpSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Tsbuild } from '../support/command.js';
import { pushDebian } from '../support/debian.js';
import { examples, workFolder } from '../support/env.js';
import { steps } from '../support/events.js';
import { nodeBase } from '../support/node.js';

test('npm ci runs once; a changed source file reruns only the last COPY', async (t) => {
  const work = workFolder('node');
  const tsbuild = new Tsbuild(join(work, 'store'));
  const base = await nodeBase(tsbuild, await pushDebian(tsbuild), work, 'node-base');
  const context = join(work, 'app');
  cpSync(join(examples(), 'node-app'), context, { recursive: true });
  const build = [
    'build',
    '--progress=rawjson',
    '-t',
    'node-app',
    '--build-arg',
    `NODE_IMAGE=${base}`,
    context,
  ];

  const cold = await tsbuild.ok(build);
  t.diagnostic(`cold build: ${cold.seconds.toFixed(1)} s`);
  const answer = await tsbuild.ok(['run', 'node-app', 'node', 'server.js', '--self-test']);
  assert.equal(answer.stdout, '200 {"hello":"world"}\n');

  const cached = await tsbuild.ok(build);
  assert.deepEqual(
    steps(cached).ran.filter((name) => /RUN|COPY|WORKDIR/.test(name)),
    [],
  );
  t.diagnostic(`cached build: ${cached.seconds.toFixed(2)} s`);

  appendFileSync(join(context, 'server.js'), '// changed\n');
  const changed = await tsbuild.ok(build);
  const ran = steps(changed).ran.filter((name) => /RUN|COPY|WORKDIR/.test(name));
  assert.deepEqual(
    ran.map((name) => name.replace(/^\[.*\] /, '')),
    ['COPY . .'],
  );
  t.diagnostic(`one file changed: ${changed.seconds.toFixed(2)} s`);
});
