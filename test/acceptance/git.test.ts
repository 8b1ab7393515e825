/** Repositories as contexts, as named contexts and as sources of ADD, from a real git server. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { succeed, Tsbuild } from '../support/command.js';
import { workFolder } from '../support/env.js';
import { writeTree } from '../support/files.js';

let work: string;
let server: ChildProcess;
let url: string;
let tsbuild: Tsbuild;

async function freePort(): Promise<number> {
  const socket = createServer().listen(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address() as AddressInfo;
  socket.close();
  await once(socket, 'close');
  return port;
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const connected = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  return connected;
}

before(async () => {
  work = workFolder('git');
  tsbuild = new Tsbuild(join(work, 'store'));
  const repository = writeTree(join(work, 'repository'), {
    Dockerfile: 'FROM scratch\nCOPY . /all/\n',
    'dir/Dockerfile': 'FROM scratch\nCOPY . /dir/\n',
    'dir/file': 'first\n',
    '.dockerignore': 'ignored\n',
    ignored: '',
  });
  writeFileSync(Buffer.concat([Buffer.from(`${repository}/dir/`), Buffer.from([0xff])]), '');
  symlinkSync(work, join(repository, 'out'));
  const identity = ['-c', 'user.name=a', '-c', 'user.email=a@example.org', '-c', 'init.defaultBranch=main'];
  const git = (...args: string[]) => succeed('git', [...identity, '-C', repository, ...args]);
  await git('init', '--quiet');
  await git('add', '--all');
  await git('commit', '--quiet', '-m', 'first');
  await git('tag', 'v1');
  writeFileSync(join(repository, 'dir/file'), 'second\n');
  await git('commit', '--quiet', '--all', '-m', 'second');
  mkdirSync(join(work, 'served'));
  await git('clone', '--quiet', '--bare', repository, join(work, 'served/app.git'));
  const port = await freePort();
  const options = [
    '--export-all',
    `--base-path=${join(work, 'served')}`,
    '--listen=127.0.0.1',
    `--port=${port}`,
  ];
  server = spawn('git', ['daemon', ...options], { stdio: 'ignore', detached: true });
  for (let tries = 0; tries < 500 && !(await answers(port)); tries += 1) await sleep(20);
  url = `git://127.0.0.1:${port}/app.git`;
});
after(() => {
  // `git` starts the daemon as a child; both are of one group.
  if (server.pid !== undefined) process.kill(-server.pid);
});

describe('a repository', () => {
  const dockerfile = (text: string) =>
    writeTree(join(work, 'other'), { Dockerfile: `FROM scratch\n${text}\n` });
  const all = ['.dockerignore', 'Dockerfile', 'dir', 'ignored', 'out'];
  const cases: [what: string, args: () => string[], folder: string, names: string[]][] = [
    ['is a context; its ignore file is a file like others', () => [url], 'all', all],
    ['is a context at a tag', () => [`${url}#v1`], 'all', all],
    ['is a context of one folder', () => [`${url}#main:dir`], 'dir', ['Dockerfile', 'file', '\ufffd']],
    ['has its Dockerfile elsewhere', () => ['-f', 'dir/Dockerfile', url], 'dir', all],
    [
      'keeps .git',
      () => ['--build-arg', 'BUILDKIT_CONTEXT_KEEP_GIT_DIR=1', url],
      'all',
      ['.dockerignore', '.git', ...all.slice(1)],
    ],
    ['is a source of ADD', () => [dockerfile(`ADD ${url} /added/`)], 'added', all],
    [
      'is a source of ADD of one folder',
      () => [dockerfile(`ADD ${url}#:dir /added/`)],
      'added',
      ['Dockerfile', 'file', '\ufffd'],
    ],
    [
      'is a named context',
      () => ['--build-context', `more=${url}`, dockerfile('COPY --from=more dir /more')],
      'more',
      ['Dockerfile', 'file', '\ufffd'],
    ],
  ];
  for (const [what, args, folder, names] of cases)
    test(what, async () => {
      const out = join(work, what.replaceAll(/\W+/g, '-'));
      await tsbuild.ok(['build', '--output', `type=local,dest=${out}`, ...args()]);
      assert.deepEqual(readdirSync(join(out, folder)).sort(), names);
    });

  test('gives nothing of what its links lead to', async () => {
    const outcome = await tsbuild.run(['build', `${url}#main:out`]);
    assert.equal(outcome.status, 1);
    assert.match(outcome.stderr, /"out" is no directory of the repository/);
  });

  test('is not built anew while its branch stays where it is', async () => {
    const args = ['build', '--progress', 'plain', dockerfile(`ADD ${url}#main:dir /again/`)];
    await tsbuild.ok(args);
    assert.match((await tsbuild.ok(args)).stderr, /ADD git:.*\n#\d+ CACHED/);
  });
});
