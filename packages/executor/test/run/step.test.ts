/** RUN steps with their mounts: secrets, caches, ssh, scripts, bind mounts; and terminals. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { BuildEvent } from '@tsbuild/core';
import type { RunMount, RunOp } from '@tsbuild/solver';
import type { StepMount } from '../../src/run/plan-mounts.js';
import { runStep } from '../../src/run/step.js';
import { cannotRun, type Fixture, makeFixture, until } from './fixture.js';

const cache = (changes: Partial<Extract<RunMount, { type: 'cache' }>> = {}): StepMount['mount'] => ({
  type: 'cache',
  target: '/c',
  id: 'ns/c',
  sharing: 'shared',
  source: '',
  readonly: false,
  mode: 0o755,
  uid: 0,
  gid: 0,
  ...changes,
});
const secret = (changes: object): StepMount['mount'] => ({
  type: 'secret',
  id: 's',
  required: false,
  mode: 0o400,
  uid: 0,
  gid: 0,
  ...changes,
});

/** With one mapped id there are no supplementary groups. */
const singleId = process.env['TSBUILD_SINGLE_ID'] === '1';

describe('RUN step', { skip: cannotRun() }, () => {
  let fixture: Fixture;
  let caches: string;
  let tmp: string;
  let steps = 0;
  beforeEach(() => {
    fixture = makeFixture();
    [caches, tmp] = ['caches', 'tmp'].map((name) => join(fixture.folder, name)) as [string, string];
    for (const path of [caches, tmp]) mkdirSync(path);
  });
  afterEach(() => {
    assert.deepEqual(readdirSync(tmp), [], 'temporary files are left');
    fixture.remove();
  });

  async function step(
    command: string,
    mounts: StepMount[],
    op: Partial<RunOp> = {},
    agent?: string,
    signal = AbortSignal.timeout(30_000),
  ) {
    const upper = join(fixture.folder, `upper-${++steps}`);
    const work = join(fixture.folder, `work-${steps}`);
    for (const path of [upper, work]) mkdirSync(path);
    const events: BuildEvent[] = [];
    const usage = await runStep(
      {
        op: {
          kind: 'run',
          base: 'b',
          args: ['/bin/sh', '-c', command],
          env: [['PATH', '/bin']],
          proxyEnv: [],
          cwd: '/',
          user: '',
          hostname: '',
          network: 'default',
          security: 'sandbox',
          mounts: mounts.map(({ mount }) => mount),
          mountsAsWritten: [],
          extraHosts: [],
          ulimits: [],
          scripts: [],
          devices: [],
          ...op,
        },
        rootfs: { lower: [fixture.base], upper, work },
        mounts,
      },
      {
        vertexId: 'v',
        signal,
        cacheRoot: caches,
        tmp,
        emit: (event) => events.push(event),
        notice: () => {},
        secret: async (id) => (id === 's' ? Buffer.from('hush') : undefined),
        sshAgent: () => agent,
      },
    );
    const text = events.flatMap((event) => (event.type === 'log' ? event.text : [])).join('');
    return { text, usage, upper };
  }

  test("shows docker's names, variables and files", async () => {
    const { text, upper } = await step('hostname; id; env | sort; cat /etc/hosts', [], {
      user: 'root',
      extraHosts: [{ name: 'a.b', address: '1.2.3.4' }],
    });
    assert.equal(
      text,
      `buildkitsandbox\nuid=0(root) gid=0(root)${singleId ? '' : ' groups=0(root),10(wheel)'}\n` +
        'HOME=/root\nPATH=/bin\nPWD=/\nSHLVL=1\n' +
        '127.0.0.1\tlocalhost buildkitsandbox\n::1\tlocalhost ip6-localhost ip6-loopback\n1.2.3.4\ta.b\n',
    );
    assert.deepEqual(readdirSync(join(upper, 'etc')), []);
  });

  test("a failure has docker's words, the exit code and the end of the output", async () => {
    await assert.rejects(step('echo one; echo two >&2; exit 42', []), {
      code: 'TSB_EXEC_FAILED',
      message:
        'process "/bin/sh -c echo one; echo two >&2; exit 42" did not complete successfully: exit code: 42',
      commandExitCode: 42,
      outputTail: 'one\ntwo',
    });
    await assert.rejects(step('', [], { args: ['nonexistent'] }), {
      commandExitCode: 1,
      outputTail: 'exec: "nonexistent": executable file not found in $PATH',
    });
  });

  test('secrets are files, variables, or nothing', async () => {
    const { text, upper } = await step('cat /run/secrets/s; echo; echo $V; ls /no 2>&1; ls /run/secrets', [
      { mount: secret({ target: '/run/secrets/s' }) },
      { mount: secret({ env: 'V' }) },
      { mount: secret({ id: 'missing', target: '/no' }) },
    ]);
    assert.equal(text, 'hush\nhush\nls: /no: No such file or directory\ns\n');
    assert.equal(existsSync(join(upper, 'run')), false);
    await assert.rejects(step('true', [{ mount: secret({ id: 'zz', required: true }) }]), {
      code: 'TSB_EXEC_SECRET',
      message: 'secret zz: not found',
    });
  });

  test('scripts are there while the step runs', async () => {
    const { text } = await step('', [], {
      args: ['/dev/pipes/EOF'],
      scripts: [{ path: '/dev/pipes/EOF', data: '#!/bin/sh\necho from $0\n', mode: 0o755 }],
    });
    assert.equal(text, 'from /dev/pipes/EOF\n');
  });

  test('a cache keeps its content and is in no layer', async () => {
    const first = await step('stat -c "%a %u" /c; echo kept > /c/f', [{ mount: cache({ mode: 0o700 }) }]);
    const second = await step('cat /c/f', [{ mount: cache() }]);
    assert.deepEqual([first.text, second.text], ['700 0\n', 'kept\n']);
    assert.equal(existsSync(join(first.upper, 'c')), false);
    assert.equal((await step('ls /c', [{ mount: cache({ id: 'ns/../c' }) }])).text, '');
    assert.deepEqual(
      readdirSync(caches).map((name) => name.length),
      [64, 64],
    );
  });

  test('a cache begins with what from gives', async () => {
    const origin = join(fixture.folder, 'origin');
    mkdirSync(join(origin, 'd/sub'), { recursive: true });
    writeFileSync(join(origin, 'd/sub/f'), 'seed', { mode: 0o640 });
    symlinkSync('/etc/shadow', join(origin, 'd/link'));
    const { text } = await step('cat /c/sub/f; stat -c " %a" /c/sub/f; readlink /c/link', [
      { mount: cache({ from: 'o', source: '/d' }), source: { lower: [origin] } },
    ]);
    assert.equal(text, 'seed 640\n/etc/shadow\n');
  });

  test('locked caches wait for each other, private ones do not share', async () => {
    const hold = 'test ! -e /c/busy || exit 9; touch /c/busy; sleep 0.3; rm /c/busy';
    await Promise.all([1, 2, 3].map(() => step(hold, [{ mount: cache({ sharing: 'locked' }) }])));
    await Promise.all([1, 2].map(() => step(hold, [{ mount: cache({ id: 'p', sharing: 'private' }) }])));
    const folders = readdirSync(caches).filter((name) => name.endsWith('.1'));
    assert.equal(folders.length, 1);
  });

  test('waiting for a locked cache can be cancelled', async () => {
    const abort = new AbortController();
    const holder = step('touch /c/held; sleep 1', [{ mount: cache({ sharing: 'locked' }) }]);
    await until(() => readdirSync(caches, { recursive: true }).some((path) => `${path}`.endsWith('/held')));
    const waiting = step('true', [{ mount: cache({ sharing: 'locked' }) }], {}, undefined, abort.signal);
    setTimeout(() => abort.abort(), 100);
    await assert.rejects(waiting, { code: 'TSB_CANCELLED_STEP' });
    await holder;
  });

  test('bind mounts show a stage or a folder, and writes are thrown away', async () => {
    const [top, bottom] = ['top', 'bottom'].map((name) => join(fixture.folder, name)) as [string, string];
    for (const path of [top, bottom]) mkdirSync(path);
    writeFileSync(join(bottom, 'f'), 'bottom');
    writeFileSync(join(top, 'g'), 'top');
    const bind = (target: string, readonly: boolean, source = '/'): RunMount => ({
      type: 'bind',
      target,
      from: 'x',
      source,
      readonly,
    });
    const { text, upper } = await step(
      'cat /ro/f /ro/g /file; echo; touch /ro/x 2>/dev/null || echo refused; echo new > /rw/f; cat /rw/f; ls /nothing; touch /nothing/x',
      [
        { mount: bind('/ro', true), source: { lower: [top, bottom] } },
        { mount: bind('/rw', false), source: { path: bottom } },
        { mount: bind('/file', true, '/g'), source: { path: top } },
        { mount: bind('/nothing', false), source: { lower: [] } },
      ],
    );
    assert.equal(text, 'bottomtoptop\nrefused\nnew\n');
    assert.equal(readFileSync(join(bottom, 'f'), 'utf8'), 'bottom');
    assert.deepEqual(readdirSync(upper), ['etc']);
  });

  test('ssh gives a socket that leads to the agent', async () => {
    const agent = join(fixture.folder, 'agent');
    const server = createServer((socket) => socket.end('hello')).listen(agent);
    const mount: RunMount = {
      type: 'ssh',
      id: 'default',
      target: '/run/buildkit/ssh_agent.0',
      required: true,
      mode: 0o600,
      uid: 0,
      gid: 0,
    };
    try {
      const { text } = await step(
        'stat -c "%F %a" $SSH_AUTH_SOCK; echo $SSH_AUTH_SOCK',
        [{ mount }],
        {},
        agent,
      );
      assert.equal(text, 'socket 600\n/run/buildkit/ssh_agent.0\n');
    } finally {
      server.close();
    }
    await assert.rejects(step('true', [{ mount }]), {
      code: 'TSB_EXEC_SSH',
      message: 'no SSH key "default" forwarded from the client',
    });
  });

  test('a terminal is given to the command, with its size', {
    skip: !existsSync('/usr/bin/script') && 'script(1) is not installed',
  }, async () => {
    const module = new URL('../../src/run/container.js', import.meta.url);
    const paths = ['t-upper', 't-work'].map((name) => join(fixture.folder, name)) as [string, string];
    for (const path of paths) mkdirSync(path);
    const code = join(fixture.folder, 'engine.mjs');
    writeFileSync(
      code,
      `
      const { runContainer } = await import(${JSON.stringify(module.href)});
      const { exitCode } = await runContainer(${JSON.stringify({ lower: [fixture.base], upper: paths[0], work: paths[1] })}, {
        args: ['/bin/sh', '-c', 'tty; stty size; echo $TERM; exit 5'], env: [['PATH', '/bin']], cwd: '/', user: '', hostname: 'h',
        network: 'none', volumes: [], tty: true, interactive: true, signal: new AbortController().signal });
      console.log('exit ' + exitCode);`,
    );
    const child = spawn(
      'script',
      ['-qec', `stty rows 33 cols 77; ${process.execPath} ${code}`, '/dev/null'],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    let text = '';
    child.stdout.on('data', (chunk) => (text += chunk));
    await new Promise((resolve) => child.once('close', resolve));
    assert.equal(text.replaceAll('\r', ''), '/dev/pts/0\n33 77\nxterm\nexit 5\n');
  });
});
