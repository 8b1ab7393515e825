/** A Node application whose dependencies npm installs in a RUN step; one changed source file reruns the last COPY alone. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { command, succeed, Tsbuild } from '../support/command.js';
import { pushDebian } from '../support/debian.js';
import { examples, workFolder } from '../support/env.js';
import { steps } from '../support/events.js';
import { writeTree } from '../support/files.js';

test('npm ci runs once; a changed source file reruns only the last COPY', async (t) => {
  const work = workFolder('node');
  const tsbuild = new Tsbuild(join(work, 'store'));
  const base = await nodeBase(tsbuild, work);
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

/** A base image with this machine's own Node and npm, and with npm's settings and certificates of this machine. */
async function nodeBase(tsbuild: Tsbuild, work: string): Promise<string> {
  const debian = await pushDebian(tsbuild);
  const context = join(work, 'node-base');
  const npm = dirname(dirname(realpathSync((await succeed('which', ['npm'])).stdout.trim())));
  mkdirSync(context);
  copyFileSync(realpathSync(process.execPath), join(context, 'node'));
  cpSync(npm, join(context, 'npm'), { recursive: true });
  const certificates = '/etc/ssl/certs/ca-certificates.crt';
  if (existsSync(certificates)) copyFileSync(certificates, join(context, 'ca.crt'));
  else writeFileSync(join(context, 'ca.crt'), '');
  const registry = await command('npm', ['config', 'get', 'registry']);
  writeTree(context, {
    npmrc: `registry=${registry.stdout.trim()}\naudit=false\nfund=false\nupdate-notifier=false\n`,
    Dockerfile: `FROM ${debian}
COPY node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
COPY ca.crt /etc/ssl/certs/ca-certificates.crt
COPY npmrc /usr/local/etc/npmrc
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && (node --version || \\
    (apt-get update && apt-get install -y --no-install-recommends libstdc++6 && node --version)) && npm --version
`,
  });
  await tsbuild.ok(['build', '-t', 'node-base', context]);
  return 'node-base';
}
