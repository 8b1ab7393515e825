/** Agents of a build's own, with real keys and the real ssh-agent. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startAgents } from '../../src/engine/ssh-agents.js';
import { processesWith } from '../api/fixture.js';

const tools = ['ssh-agent', 'ssh-add', 'ssh-keygen'];
const missing = tools.find((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0);

describe('startAgents', { skip: missing === undefined ? false : `${missing} is not installed` }, () => {
  let folder: string;
  let root: string;
  const { signal } = new AbortController();
  const key = (name: string) => join(folder, name);
  const listed = (socket: string) =>
    spawnSync('ssh-add', ['-l'], {
      env: { PATH: process.env['PATH'], SSH_AUTH_SOCK: socket },
      encoding: 'utf8',
    })
      .stdout.trim()
      .split('\n')
      .map((line) => line.split(' ')[1]);
  const fingerprint = (name: string) =>
    execFileSync('ssh-keygen', ['-l', '-f', `${key(name)}.pub`], { encoding: 'utf8' }).split(' ')[1];

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'tsbuild-agents-'));
    root = join(folder, 'store');
    for (const [name, type, passphrase] of [
      ['one', 'ed25519', ''],
      ['two', 'ecdsa', ''],
      ['locked', 'ed25519', 'passphrase'],
    ] as const)
      execFileSync('ssh-keygen', ['-q', '-t', type, '-N', passphrase, '-C', '', '-f', key(name)]);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('each id has an agent with its keys, and nothing of it stays', async () => {
    const agents = await startAgents(
      [{ id: 'a', keys: [key('one'), key('two')] }, { id: 'b', keys: [key('two')] }, { id: 'default' }],
      root,
      signal,
    );
    const [a, b, other] = agents.ssh;
    assert.deepEqual(listed(a?.socket ?? ''), [fingerprint('one'), fingerprint('two')]);
    assert.deepEqual(listed(b?.socket ?? ''), [fingerprint('two')]);
    assert.deepEqual(other, { id: 'default' });
    await agents.close();
    assert.equal(existsSync(a?.socket ?? ''), false);
    for (let waited = 0; waited < 10_000 && agentsLeft() > 0; waited += 20) await sleep(20);
    assert.equal(agentsLeft(), 0);
    assert.deepEqual(readdirSync(join(root, 'tmp')), []);
  });

  for (const [name, message] of [
    ['locked', /^--ssh x: cannot use the key .*locked: it is protected by a passphrase$/],
    ['one.pub', /^--ssh x: cannot use the key .*one\.pub: /],
    ['none', /^--ssh x: cannot read the key .*none$/],
  ] as const)
    test(`a key is refused: ${name}`, async () => {
      const started = startAgents([{ id: 'x', keys: [key('two'), key(name)] }], root, signal);
      await assert.rejects(started, { code: 'TSB_USAGE_SSH_KEY', message });
      assert.deepEqual(readdirSync(join(root, 'tmp')), []);
    });

  test('an agent ends with the process that started it, killed or not', async () => {
    const module = new URL('../../src/engine/ssh-agents.js', import.meta.url).href;
    const code = `
      const { startAgents } = await import(${JSON.stringify(module)});
      await startAgents([{ id: 'x', keys: [process.argv[1]] }], process.argv[2], new AbortController().signal);
      console.log('started');
      setInterval(() => {}, 1000);`;
    const process_ = spawn(process.execPath, ['--input-type=module', '-e', code, key('one'), root]);
    await once(process_.stdout, 'data');
    assert.equal(agentsLeft(), 1);
    process_.kill('SIGKILL');
    // ssh-agent looks after its command every ten seconds.
    for (let waited = 0; waited < 40_000 && agentsLeft() > 0; waited += 100) await sleep(100);
    assert.equal(agentsLeft(), 0);
  });

  /** Agents whose socket lies in our store. */
  function agentsLeft(): number {
    return processesWith('ssh-agent -a ssh-0').filter((line) => line.startsWith('ssh-agent')).length;
  }
});
