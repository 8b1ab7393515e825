/** Where secrets and ssh agents come from. Values are read when a step asks for them, and never kept. */
import { readFile } from 'node:fs/promises';
import { TsbuildError } from '@tsbuild/core';
import { isSsh } from '@tsbuild/executor';
import type { BuildOptions, SecretSpec, SshSpec } from '../api/types.js';
import { parseRemoteContext } from '../resolve/remote-context.js';

/** The limit of BuildKit's secrets provider, bytes. */
const largestSecret = 500 * 1024;

export function secretReader(secrets: readonly SecretSpec[]): (id: string) => Promise<Buffer | undefined> {
  const byId = new Map(secrets.map((secret) => [secret.id, secret]));
  return async (id) => {
    const secret = byId.get(id);
    const value = secret && (await readSecret(secret));
    if (value && value.length > largestSecret) {
      throw new TsbuildError('TSB_USAGE_SECRET', `the secret ${id} is larger than 500 KiB`, {
        hint: 'Secrets are for keys and passwords; bring large files through a build context.',
      });
    }
    return value;
  };
}

/** Without a source: the environment variable of the id's name, else the file (as buildx does). */
async function readSecret({ id, src, env, value }: SecretSpec): Promise<Buffer> {
  if (value !== undefined) return Buffer.from(value);
  if (src !== undefined) return await readSource(id, src);
  const variable = process.env[env ?? id];
  if (variable !== undefined) return Buffer.from(variable);
  // buildx gives steps an empty secret where the variable is not set, as it is in builds of strangers' changes.
  if (env !== undefined) return Buffer.alloc(0);
  return await readSource(id, id);
}

async function readSource(id: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new TsbuildError('TSB_USAGE_SECRET', `cannot read the file ${path} of the secret ${id}`, {
      hint: `Name it with --secret id=${id},src=FILE or --secret id=${id},env=VARIABLE.`,
      cause: error,
    });
  }
}

/** The agent in use is given to a build whose context is fetched with it, as buildx does; else only what was asked for. */
export function agentsOf({ ssh = [], context }: Pick<BuildOptions, 'ssh' | 'context'>): readonly SshSpec[] {
  if (ssh.length > 0 || typeof context !== 'string') return ssh;
  const remote = parseRemoteContext(context);
  return remote?.kind === 'git' && isSsh(remote.remote) ? [{ id: 'default' }] : ssh;
}

/** Path of the agent's socket that steps with that id may use. */
export function sshSocket(agents: readonly SshSpec[]): (id: string) => string | undefined {
  const byId = new Map(agents.map(({ id, socket }) => [id, socket]));
  return (id) => (byId.has(id) ? (byId.get(id) ?? process.env.SSH_AUTH_SOCK) : undefined);
}
