/** RUN cache mounts that travel with a registry's cache: `npm ci` on a fresh machine needs no network. */
import assert from 'node:assert/strict';
import { appendFileSync, cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Outcome, Tsbuild } from '../support/command.js';
import { pushDebian } from '../support/debian.js';
import { examples, imageName, workFolder } from '../support/env.js';
import { steps } from '../support/events.js';
import { nodeBase } from '../support/node.js';

const mount = '--mount=type=cache,id=npm,target=/root/.npm';
const dockerfile = (run: string) => `ARG NODE_IMAGE
FROM \${NODE_IMAGE}
WORKDIR /app
COPY package*.json ./
RUN ${run}
COPY . .
`;
const online = dockerfile(`${mount} npm ci --omit=dev`);
const offline = dockerfile(
  `--network=none ${mount} npm ci --omit=dev --offline && node server.js --self-test`,
);

test('a fresh store installs from the restored cache mount, and a build of hits fetches none', async (t) => {
  const work = workFolder('cache-mounts');
  const store = (name: string) => new Tsbuild(join(work, name));
  const first = store('first');
  const base = await nodeBase(first, await pushDebian(first), work, imageName('mounts-base'));
  await first.ok(['push', base]);
  const context = join(work, 'app');
  cpSync(join(examples(), 'node-app'), context, { recursive: true });
  writeFileSync(join(context, 'online'), online);
  writeFileSync(
    join(context, 'offline'),
    offline.replace('COPY package*.json', 'COPY package*.json server.js'),
  );
  const cache = `type=registry,ref=${imageName('mounts-cache:main')}`;
  const build = (file: string, ...flags: string[]) => [
    'build',
    '--progress=rawjson',
    '-f',
    join(context, file),
    '--build-arg',
    `NODE_IMAGE=${base}`,
    ...flags,
    context,
  ];
  const named = ['--cache-mount', 'id=npm,key=package-lock.json'];

  const cold = await first.ok(build('online', '--cache-to', `${cache},mode=max`, ...named));
  t.diagnostic(`cold build that saves: ${cold.seconds.toFixed(1)} s`);
  assert.ok(steps(cold).ran.includes('[internal] save cache mount npm'));

  const hits = store('hits');
  const cached = await hits.ok(build('online', '--cache-from', cache, ...named));
  assert.deepEqual(
    steps(cached).ran.filter((name) => /RUN|cache mount/.test(name)),
    [],
  );
  assert.deepEqual(readdirSync(join(work, 'hits/mounts')), []);

  const without = await store('without').run(build('offline', '--cache-from', cache));
  assert.notEqual(without.status, 0);
  assert.match(output(without), /ENOTCACHED|only-if-cached/);

  const fresh = store('fresh');
  const warm = await fresh.ok(build('offline', '--cache-from', cache, ...named));
  t.diagnostic(`build on a fresh store: ${warm.seconds.toFixed(1)} s; ${restoredNotice(warm)}`);
  assert.match(restoredNotice(warm), /under this key/);
  assert.match(output(warm), /hello/);

  // Another lock file, the same packages: the newest save serves, and a save under the new key sends next to nothing.
  appendFileSync(join(context, 'package-lock.json'), '\n');
  const changed = store('changed');
  const next = await changed.ok(
    build('offline', '--cache-from', cache, '--cache-to', `${cache},mode=max`, ...named),
  );
  assert.match(restoredNotice(next), /nothing was saved under this key; restored the newest instead/);
  const last = await store('last').ok(build('offline', '--cache-from', cache, ...named, '--no-cache'));
  assert.match(restoredNotice(last), /under this key/);
  assert.equal(
    readFileSync(
      join(work, 'changed/mounts', readdirSync(join(work, 'changed/mounts'))[0] ?? '', 'id'),
      'utf8',
    ),
    '/npm',
  );
});

function output({ stderr }: Outcome): string {
  const events = stderr.split('\n').filter((line) => line.startsWith('{'));
  return events.map((line) => (JSON.parse(line) as { text?: string }).text ?? '').join('');
}

function restoredNotice({ stderr }: Outcome): string {
  const events = stderr.split('\n').filter((line) => line.startsWith('{'));
  const notices = events.map((line) => JSON.parse(line) as { type: string; message?: string });
  return (
    notices.find(({ type, message = '' }) => type === 'notice' && message.includes('restored'))?.message ?? ''
  );
}
