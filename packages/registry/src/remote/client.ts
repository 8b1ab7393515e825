/** The door to registries: options and environment of the user turned into repositories that can be read and written. */
import { homedir } from 'node:os';
import type { RemoteRepository } from '../api.js';
import { userCredentials, type Credential, type CredentialSource } from '../auth/credentials.js';
import { loadRegistriesConf, type RegistriesConf } from '../config/registries-conf.js';
import { fetchUrl, type FetchedUrl } from '../fetch.js';
import { createHttpClient } from '../http/client.js';
import type { Environment } from '../http/proxy.js';
import { defaultRetryPolicy, type RetryPolicy } from '../http/retry.js';
import { createTrust } from '../http/trust.js';
import { normalizeRegistry, parseReference, repositoryName, type Reference } from '../reference.js';
import { createRepository, type Source } from './repository.js';
import { createSession, type RegistrySession } from './session.js';

export interface RegistryClientOptions {
  /** `host[:port]` or CIDR: plain http and any certificate are allowed there. Loopback always is. */
  insecureRegistries?: readonly string[];
  /** A registries.conf (version 2) instead of the user's and the system's. */
  registriesConf?: string;
  /** Default: the environment of the process. */
  env?: Environment;
  /** Default: the user's home. */
  home?: string;
  /** Default: docker's config.json with its helpers, then the containers tools' auth.json. */
  credentials?: CredentialSource;
  retry?: Partial<RetryPolicy>;
  /** Longest silence while a body moves, milliseconds. Default 60 s. */
  idleTimeoutMs?: number;
  userAgent?: string;
  /** Folders of certificates per registry; default: those of docker and of the containers tools. */
  certsDirectories?: readonly string[];
}

export interface RegistryClient {
  /** @param reference parsed, or as users write it; tag and digest are of no matter here */
  repository(reference: Reference | string): Promise<RemoteRepository>;
  /** Checks the credential with the registry. @returns what to keep. @throws TSB_AUTH_DENIED */
  login(registry: string, credential: Credential, signal: AbortSignal): Promise<Credential>;
  /** GETs a plain URL under the same policy; any status is an answer. @throws TSB_CONTEXT_URL */
  fetchUrl(url: string, headers: Record<string, string>, signal: AbortSignal): Promise<FetchedUrl>;
  /** Ends connections and shared work. */
  close(): Promise<void>;
}

/** Docker Hub's API is not where its name says. */
function apiHost(registry: string): string {
  return registry === 'docker.io' || registry === 'index.docker.io' ? 'registry-1.docker.io' : registry;
}

export function createRegistryClient(options: RegistryClientOptions = {}): RegistryClient {
  const env = options.env ?? process.env;
  const home = options.home ?? (env['HOME'] || homedir());
  const retry: RetryPolicy = { ...defaultRetryPolicy, ...options.retry };
  const credentials = options.credentials ?? userCredentials({ env, home });
  const trust = createTrust({
    env,
    home,
    insecureRegistries: options.insecureRegistries ?? [],
    ...(options.certsDirectories === undefined ? {} : { certsDirectories: options.certsDirectories }),
  });
  const http = createHttpClient({
    trust,
    env,
    ...(options.idleTimeoutMs === undefined ? {} : { idleTimeoutMs: options.idleTimeoutMs }),
    ...(options.userAgent === undefined ? {} : { userAgent: options.userAgent }),
  });
  const lifetime = new AbortController();
  const sessions = new Map<string, RegistrySession>();
  let conf: Promise<RegistriesConf> | undefined;

  function registriesConf(): Promise<RegistriesConf> {
    const path = options.registriesConf;
    conf ??= loadRegistriesConf({ env, home, ...(path === undefined ? {} : { path }) });
    return conf;
  }

  function sessionFor(registry: string): RegistrySession {
    const found = sessions.get(registry);
    if (found !== undefined) return found;
    const host = apiHost(registry);
    const session = createSession({
      http,
      retry,
      credentials,
      registry,
      host,
      isInsecure: () => trust.isInsecure(host),
      allowHttp: (url) => trust.isInsecure(url.host),
      lifetime: lifetime.signal,
    });
    sessions.set(registry, session);
    return session;
  }

  function sourceAt(
    registry: string,
    repository: string,
    insecure: boolean,
    serves: Source['serves'],
  ): Source {
    if (insecure) trust.allow(apiHost(registry));
    return { session: sessionFor(registry), repository, serves };
  }

  return {
    async repository(reference) {
      const parsed = typeof reference === 'string' ? parseReference(reference) : reference;
      const settings = await registriesConf();
      const sources = settings
        .endpoints(parsed)
        .map(({ registry, repository, insecure, serves }) =>
          sourceAt(registry, repository, insecure, serves),
        );
      const target = sourceAt(parsed.registry, parsed.repository, settings.isInsecure(parsed), 'all');
      return createRepository({ name: repositoryName(parsed), sources, target, retry });
    },
    async login(text, credential, signal) {
      const registry = normalizeRegistry(text);
      const settings = await registriesConf();
      if (settings.isInsecure({ registry, repository: 'any' })) trust.allow(apiHost(registry));
      const { identityToken } = await sessionFor(registry).login(credential, signal);
      if (identityToken === undefined) return credential;
      return {
        identityToken,
        ...(credential.username === undefined ? {} : { username: credential.username }),
      };
    },
    fetchUrl: (url, headers, signal) => fetchUrl(http, retry, url, headers, signal),
    async close() {
      lifetime.abort(new Error('the registry client was closed'));
      await http.close();
    },
  };
}
