/** A real docker-registry on a free loopback port, for one test file. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TokenServer } from './token-server.js';

export interface TestRegistry {
  /** `127.0.0.1:PORT`. */
  host: string;
  stop(): Promise<void>;
}

export interface TestRegistryOptions {
  /** Basic authentication for `user` below. */
  basic?: boolean;
  /** Bearer tokens signed by this server. */
  tokens?: TokenServer;
  /** PEM files: serve by TLS. */
  tls?: { certificate: string; key: string };
}

/** What the htpasswd file below lets in. */
export const user = { username: 'jane', password: 's3cret:pw' };
const htpasswd = `${user.username}:$2y$05$abcdefghijklmnopqrstuugx1ANyULq/LMrIVpiIGARw82GmA9Dae\n`;

/** Reason to skip, or false. */
export const noRegistry: string | false =
  spawnSync('docker-registry', ['--help']).error === undefined ? false : 'docker-registry is not installed';

export const noSkopeo: string | false =
  spawnSync('skopeo', ['--version']).error === undefined ? false : 'skopeo is not installed';

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export async function startRegistry(options: TestRegistryOptions = {}): Promise<TestRegistry> {
  const folder = await mkdtemp(join(tmpdir(), 'tsbuild-registry-'));
  const host = `127.0.0.1:${await freePort()}`;
  const config: Record<string, unknown> = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory: join(folder, 'data') },
      delete: { enabled: true },
      maintenance: { uploadpurging: { enabled: false } },
    },
    http: { addr: host, ...(options.tls === undefined ? {} : { tls: options.tls }) },
  };
  if (options.basic === true) {
    await writeFile(join(folder, 'htpasswd'), htpasswd);
    config['auth'] = { htpasswd: { realm: 'test', path: join(folder, 'htpasswd') } };
  }
  if (options.tokens !== undefined) {
    await writeFile(join(folder, 'token.pem'), options.tokens.certificate);
    const { url, service, issuer } = options.tokens;
    config['auth'] = { token: { realm: url, service, issuer, rootcertbundle: join(folder, 'token.pem') } };
  }
  // JSON is YAML.
  await writeFile(join(folder, 'config.yml'), JSON.stringify(config));
  const log = join(folder, 'log');
  const child = spawn(
    '/bin/sh',
    ['-c', 'exec docker-registry serve "$1" >"$2" 2>&1', 'sh', join(folder, 'config.yml'), log],
    {
      stdio: 'ignore',
    },
  );
  try {
    await waitFor(child, host, options.tls !== undefined, log);
  } catch (error) {
    child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    host,
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      if (child.exitCode === null) {
        child.kill('SIGKILL');
        await ended;
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function waitFor(child: ChildProcess, host: string, tls: boolean, log: string): Promise<void> {
  const { connect } = await import('node:net');
  for (let tries = 0; tries < 200; tries += 1) {
    if (child.exitCode !== null) throw new Error(`docker-registry ended: ${await readFile(log, 'utf8')}`);
    const [address = '', port] = host.split(':');
    const up = await new Promise<boolean>((resolve) => {
      const socket = connect(Number(port), address);
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (up) return;
    await sleep(50);
  }
  throw new Error(`docker-registry${tls ? ' (TLS)' : ''} does not listen on ${host}`);
}
