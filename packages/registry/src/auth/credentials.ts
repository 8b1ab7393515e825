/** Who we are for a registry: looks through helpers and files as docker does, then as podman does. */
import { TsbuildError } from '@tsbuild/core';
import type { Environment } from '../http/proxy.js';
import {
  containersAuthPaths,
  dockerConfigPath,
  dockerHubKey,
  editConfigFile,
  readConfigFile,
  type AuthEntry,
  type ConfigFile,
} from './config-file.js';
import { normalizeRegistry } from '../reference.js';
import { runHelper } from './helper.js';

export interface Credential {
  /** Shown in messages; absent for bare tokens. */
  username?: string;
  password?: string;
  /** OAuth2 refresh token, to be exchanged at the token server. */
  identityToken?: string;
  /** Sent as it is. */
  registryToken?: string;
}

export interface FoundCredential {
  credential?: Credential;
  /** Why a configured source gave nothing; told where the registry then refuses. */
  problem?: string;
}

export interface CredentialSource {
  /** @param repository path in the registry: auth.json may have entries for parts of a registry */
  find(registry: string, repository: string): Promise<FoundCredential>;
}

export interface CredentialOptions {
  env: Environment;
  home: string;
}

/** Anonymous everywhere. */
export const noCredentials: CredentialSource = { find: async () => ({}) };

/** The user's own files and helpers. Each registry's helper is asked once. */
export function userCredentials(options: CredentialOptions): CredentialSource {
  const helperAnswers = new Map<string, Promise<FoundCredential>>();

  function askHelper(name: string, server: string): Promise<FoundCredential> {
    const key = `${name} ${server}`;
    let answer = helperAnswers.get(key);
    if (answer === undefined) {
      answer = fromHelper(name, server, options.env).catch((error: Error) => ({ problem: error.message }));
      helperAnswers.set(key, answer);
    }
    return answer;
  }

  async function inFile(config: ConfigFile, registry: string, repository: string): Promise<FoundCredential> {
    const helper =
      config.credHelpers?.[serverKey(registry)] ?? config.credHelpers?.[registry] ?? config.credsStore;
    let problem: string | undefined;
    if (helper) {
      const answer = await askHelper(helper, serverKey(registry));
      if (answer.credential !== undefined) return answer;
      problem = answer.problem;
    }
    const entry = findEntry(config.auths ?? {}, registry, repository);
    const credential = entry === undefined ? undefined : decodeEntry(entry);
    return {
      ...(credential === undefined ? {} : { credential }),
      ...(problem === undefined ? {} : { problem }),
    };
  }

  return {
    async find(registry, repository) {
      const problems: string[] = [];
      const paths = [
        dockerConfigPath(options.env, options.home),
        ...containersAuthPaths(options.env, options.home),
      ];
      for (const path of paths) {
        const { config, problem } = await readIfAllowed(path);
        if (problem !== undefined) problems.push(problem);
        const found = await inFile(config, registry, repository);
        if (found.credential !== undefined) return found;
        if (found.problem !== undefined) problems.push(found.problem);
      }
      return problems.length === 0 ? {} : { problem: problems.join('; ') };
    },
  };
}

/** Keeps a credential that was verified: in the configured helper, else in docker's config.json. @returns where */
export async function storeCredential(
  registry: string,
  credential: Credential,
  options: CredentialOptions,
): Promise<string> {
  const path = dockerConfigPath(options.env, options.home);
  const config = await readConfigFile(path);
  const server = serverKey(normalizeRegistry(registry));
  const helper = config.credHelpers?.[server] ?? config.credsStore;
  if (helper) {
    const Username = credential.identityToken === undefined ? credential.username : '<token>';
    const Secret = credential.identityToken ?? credential.password;
    await runHelper(helper, 'store', JSON.stringify({ ServerURL: server, Username, Secret }), options.env);
    return `docker-credential-${helper}`;
  }
  const auth = Buffer.from(`${credential.username ?? ''}:${credential.password ?? ''}`).toString('base64');
  await editConfigFile(path, (edited) => {
    const entry: AuthEntry =
      credential.identityToken === undefined ? { auth } : { auth, identitytoken: credential.identityToken };
    edited.auths = { ...edited.auths, [server]: entry };
  });
  return path;
}

/**
 * Forgets what is kept for the registry, in helper and files; entries for parts of it stay.
 * @returns whether there was anything
 */
export async function eraseCredential(registry: string, options: CredentialOptions): Promise<boolean> {
  const server = serverKey(normalizeRegistry(registry));
  let found = false;
  const dockerPath = dockerConfigPath(options.env, options.home);
  for (const path of [dockerPath, ...containersAuthPaths(options.env, options.home)]) {
    const { config } = await readIfAllowed(path);
    const helper = config.credHelpers?.[server] ?? config.credsStore;
    if (helper) {
      const there =
        (await runHelper(helper, 'get', server, options.env).catch(() => undefined)) !== undefined;
      if (there) await runHelper(helper, 'erase', server, options.env);
      found ||= there;
    }
    const isOurs = (key: string) => !isPath(key) && hostOfKey(key) === hostOfKey(server);
    if (!Object.keys(config.auths ?? {}).some(isOurs)) continue;
    found = true;
    await editConfigFile(path, (edited) => {
      edited.auths = Object.fromEntries(Object.entries(edited.auths ?? {}).filter(([key]) => !isOurs(key)));
    });
  }
  return found;
}

/** docker goes on without a file that it may not read; a damaged one is for the user to repair. */
async function readIfAllowed(path: string): Promise<{ config: ConfigFile; problem?: string }> {
  try {
    return { config: await readConfigFile(path) };
  } catch (error) {
    const { message, cause } = error as Error;
    if ((cause as NodeJS.ErrnoException | undefined)?.code !== 'EACCES') throw error;
    return { config: {}, problem: message };
  }
}

/** A key of auth.json for a part of a registry. */
function isPath(key: string): boolean {
  return !/^https?:\/\//.test(key) && key.includes('/');
}

/** What docker calls a registry in its files: its host, or the old URL for Docker Hub. */
export function serverKey(registry: string): string {
  return ['docker.io', 'index.docker.io', 'registry-1.docker.io'].includes(registry)
    ? dockerHubKey
    : registry;
}

/** docker's ConvertToHostname: entries may be written as URLs. */
function hostOfKey(key: string): string {
  const bare = key.replace(/^https?:\/\//, '').split('/', 1)[0] as string;
  return bare === 'index.docker.io' || bare === 'registry-1.docker.io' ? 'docker.io' : bare;
}

/** The longest entry that names the repository or a part of its path (containers-auth.json(5)), else the host's. */
function findEntry(
  auths: Record<string, AuthEntry>,
  registry: string,
  repository: string,
): AuthEntry | undefined {
  const parts = `${registry}/${repository}`.split('/');
  for (let length = parts.length; length > 1; length -= 1) {
    const exact = auths[parts.slice(0, length).join('/')];
    if (exact !== undefined) return exact;
  }
  const exact = auths[serverKey(registry)] ?? auths[registry];
  if (exact !== undefined) return exact;
  const wanted = hostOfKey(registry);
  return Object.entries(auths).find(([key]) => !isPath(key) && hostOfKey(key) === wanted)?.[1];
}

function decodeEntry(entry: AuthEntry): Credential | undefined {
  if (entry.registrytoken) return { registryToken: entry.registrytoken };
  let { username, password } = entry;
  if (entry.auth) {
    // docker pads old entries with NUL bytes.
    const text = Buffer.from(entry.auth, 'base64').toString('utf8').replace(/\0+$/, '');
    const colon = text.indexOf(':');
    if (colon > 0) {
      username = text.slice(0, colon);
      password = text.slice(colon + 1);
    }
  }
  if (entry.identitytoken) {
    return { identityToken: entry.identitytoken, ...(username ? { username } : {}) };
  }
  return username && password !== undefined ? { username, password } : undefined;
}

async function fromHelper(name: string, server: string, env: Environment): Promise<FoundCredential> {
  const answer = await runHelper(name, 'get', server, env);
  if (answer === undefined) return {};
  let value: unknown;
  try {
    value = JSON.parse(answer);
  } catch {
    value = undefined;
  }
  const { Username, Secret } = (value ?? {}) as { Username?: unknown; Secret?: unknown };
  if (typeof Username !== 'string' || typeof Secret !== 'string') {
    throw new TsbuildError(
      'TSB_AUTH_HELPER_FAILED',
      `credential helper docker-credential-${name}: its answer makes no sense`,
    );
  }
  if (Username === '' && Secret === '') return {};
  if (Username === '<token>') return { credential: { identityToken: Secret } };
  return { credential: { username: Username, password: Secret } };
}
