/**
 * Agents for `--ssh ID=KEY_FILE`: one ssh-agent(1) for each, which holds those keys and lives as long as the build. It runs
 * beside a command that ends with our pipe, so that it ends with us too, however that comes about.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TsbuildError } from '@tsbuild/core';
import type { SshSpec } from '../api/types.js';
import { temporaryFolder } from '../store/temporary.js';

export interface OwnAgents {
  /** The specifications with the new agents' sockets in place of keys. */
  ssh: SshSpec[];
  close(): Promise<void>;
}

interface Agent {
  socket: string;
  close(): void;
}

/**
 * @param root the store, in whose temporary folder the sockets are
 * @throws TsbuildError TSB_USAGE_SSH_KEY, TSB_HOST_SSH_MISSING
 */
export async function startAgents(
  specs: readonly SshSpec[],
  root: string | undefined,
  signal: AbortSignal,
): Promise<OwnAgents> {
  const temporary = temporaryFolder(root);
  const agents: Agent[] = [];
  const close = async () => {
    for (const agent of agents) agent.close();
    await temporary.close();
  };
  try {
    const ssh: SshSpec[] = [];
    for (const { keys, ...spec } of specs) {
      if (keys === undefined) {
        ssh.push(spec);
        continue;
      }
      const contents = await Promise.all(keys.map((path) => readKey(spec.id, path)));
      const agent = await startAgent(await temporary.path(), `ssh-${agents.length}`, signal);
      agents.push(agent);
      for (const [index, key] of contents.entries()) {
        await addKey(agent.socket, key, signal, { id: spec.id, path: keys[index] ?? '' });
      }
      ssh.push({ ...spec, socket: agent.socket });
    }
    return { ssh, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function readKey(id: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new TsbuildError('TSB_USAGE_SSH_KEY', `--ssh ${id}: cannot read the key ${path}`, {
      hint: 'Name a private key that you may read, or the socket of an agent.',
      cause: error,
    });
  }
}

async function startAgent(folder: string, name: string, signal: AbortSignal): Promise<Agent> {
  // The name is relative for its length: socket addresses hold 107 bytes.
  const command = ['-a', name, 'sh', '-c', 'echo "$SSH_AGENT_PID"; exec cat'];
  const child = spawn('ssh-agent', command, { cwd: folder, stdio: ['pipe', 'pipe', 'ignore'], signal });
  const failed = once(child, 'error').then((raised) => {
    const error = raised[0] as NodeJS.ErrnoException;
    throw signal.aborted
      ? signal.reason
      : new TsbuildError('TSB_HOST_SSH_MISSING', `ssh-agent cannot be started: ${error.message}`, {
          hint: 'apt-get install -y openssh-client, or pass the socket of a running agent.',
          cause: error,
        });
  });
  // Only the first of the two is of interest; a later error is that of the signal.
  failed.catch(() => {});
  child.stdin.on('error', () => {});
  const first = await Promise.race([once(child.stdout, 'data'), once(child, 'exit'), failed]);
  const pid = Number(String(first[0]));
  if (!Buffer.isBuffer(first[0]) || !(pid > 1)) {
    throw new TsbuildError('TSB_HOST_SSH_MISSING', 'ssh-agent ended at once', {
      hint: 'Try ssh-agent by hand, or pass the socket of a running agent.',
    });
  }
  return {
    socket: join(folder, name),
    close() {
      child.stdin.end();
      try {
        process.kill(pid);
      } catch {
        // It has ended already.
      }
    },
  };
}

/** By standard input: ssh-add refuses files that others may read, which is no business of a build's (buildx). */
function addKey(
  socket: string,
  key: Buffer,
  signal: AbortSignal,
  { id, path }: { id: string; path: string },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const env = {
      PATH: process.env['PATH'],
      SSH_AUTH_SOCK: socket,
      SSH_ASKPASS: '/bin/false',
      SSH_ASKPASS_REQUIRE: 'force',
      LC_ALL: 'C',
    };
    const child = execFile('ssh-add', ['-q', '-'], { env, signal, timeout: 30_000 }, (error, _, stderr) => {
      if (error === null) return resolve();
      if (signal.aborted) return reject(signal.reason);
      const why = isLocked(key) ? 'it is protected by a passphrase' : stderr.trim() || error.message;
      reject(
        new TsbuildError('TSB_USAGE_SSH_KEY', `--ssh ${id}: cannot use the key ${path}: ${why}`, {
          hint: 'Start an agent with "eval $(ssh-agent)", load the key with ssh-add, and pass --ssh default.',
        }),
      );
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(key);
  });
}

/** PEM says so in a line; OpenSSH's own format names its cipher first (PROTOCOL.key). */
function isLocked(key: Buffer): boolean {
  const text = key.toString('latin1');
  if (text.includes('ENCRYPTED')) return true;
  const [, body = ''] = /BEGIN OPENSSH PRIVATE KEY-----([^-]*)-----END/.exec(text) ?? [];
  const cipher = Buffer.from(body, 'base64').subarray('openssh-key-v1\0'.length + 4);
  return cipher.length > 0 && !cipher.toString('latin1').startsWith('none');
}
