/**
 * Requests to one registry: finds out its scheme and its way of authentication once, then sends with
 * credentials, follows redirects, tries again what may pass, and turns the rest into errors for users.
 */
import type { ByteStream } from '../api.js';
import { parseChallenges } from '../auth/challenge.js';
import type { CredentialSource, FoundCredential } from '../auth/credentials.js';
import { untilAborted } from '../http/abort.js';
import { discard, type HttpAnswer, type HttpClient, type HttpRequest } from '../http/client.js';
import { isTransient, isTransientStatus, pause, retryAfterMs, type RetryPolicy } from '../http/retry.js';
import { errorText, networkError, statusError, type Purpose } from './failures.js';
import { createTokens, type Tokens } from './tokens.js';

export interface RegistryRequest {
  method: HttpRequest['method'];
  /** Path below the registry, or the URL that a Location header named. */
  target: string | URL;
  headers?: Record<string, string>;
  /** Called for each try. */
  body?: () => Uint8Array | ByteStream;
  /** `repository:NAME:pull,push` … */
  scopes: readonly string[];
  /** Path of the repository, for credentials of parts of a registry. */
  repository: string;
  /** Statuses that are answers; any other is thrown. */
  ok: readonly number[];
  /** Completes "failed to". */
  action: string;
  signal: AbortSignal;
  headersTimeoutMs?: number;
  /** False where the caller starts over himself. */
  retry?: boolean;
}

export interface RegistrySession {
  /** Name for users. */
  readonly registry: string;
  /** @returns the answer, with a body that has to be read or discarded, and the URL it came from after redirects */
  request(request: RegistryRequest): Promise<HttpAnswer & { url: URL }>;
  /** Absolute URL of a Location header. */
  resolveLocation(location: string, base: URL): URL;
  /** Whether it takes the credential. @throws TSB_AUTH_DENIED */
  login(
    credential: FoundCredential['credential'] & {},
    signal: AbortSignal,
  ): Promise<{ identityToken?: string }>;
}

export interface SessionOptions {
  http: HttpClient;
  retry: RetryPolicy;
  credentials: CredentialSource;
  /** Name for users and for credentials: docker.io. */
  registry: string;
  /** Where its API is, `host[:port]`. */
  host: string;
  /** Plain http may be spoken with this registry. */
  isInsecure(): boolean;
  /** Plain http may be spoken with this other host (token server, redirect). */
  allowHttp(url: URL): boolean;
  /** Ends work that several requests wait for. */
  lifetime: AbortSignal;
}

const maximumRedirects = 5;
const redirects = new Set([301, 302, 303, 307, 308]);
/** Those that leave a POST a POST. */
const sameMethodRedirects = new Set([307, 308]);

export function createSession(options: SessionOptions): RegistrySession {
  const { http, retry, registry } = options;
  let base: Promise<URL> | undefined;
  const tokens: Tokens = createTokens(sendToTokenServer, options.allowHttp);

  async function sendToTokenServer(
    request: Omit<HttpRequest, 'signal'>,
    purpose: Purpose,
  ): Promise<HttpAnswer> {
    const signal = options.lifetime;
    const isOk = (status: number) => status >= 200 && status < 300;
    return withRetries(
      purpose,
      true,
      signal,
      () => request.url,
      () => http.send({ ...request, signal }),
      isOk,
    );
  }

  async function withRetries<A extends HttpAnswer>(
    purpose: Purpose,
    again: boolean,
    signal: AbortSignal,
    url: () => URL,
    send: () => Promise<A>,
    isOk: (status: number) => boolean,
  ): Promise<A> {
    for (let attempt = 1; ; attempt += 1) {
      let answer: A;
      try {
        answer = await send();
      } catch (error) {
        signal.throwIfAborted();
        if (again && isTransient(error) && (await pause(attempt, retry, signal))) continue;
        throw networkError(purpose, url(), error, signal);
      }
      if (isOk(answer.status)) return answer;
      const said = await errorText(answer);
      const wanted = retryAfterMs(answer.headers['retry-after'], Date.now());
      if (again && isTransientStatus(answer.status) && (await pause(attempt, retry, signal, wanted)))
        continue;
      throw statusError(purpose, url(), answer.status, said);
    }
  }

  /** The ping of the spec (end-1): a registry that may be insecure is tried by https first, as docker does. */
  async function connect(): Promise<URL> {
    const signal = options.lifetime;
    const purpose: Purpose = { action: `reach ${registry}`, registry };
    const ping = async (root: URL): Promise<URL> => {
      const url = new URL('/v2/', root);
      const answer = await withRetries(
        purpose,
        true,
        signal,
        () => url,
        () => http.send({ method: 'GET', url, signal }),
        () => true,
      );
      const challenge = answer.headers['www-authenticate'];
      if (answer.status === 401 && challenge !== undefined) tokens.learn(parseChallenges(challenge));
      await discard(answer);
      return root;
    };
    const secure = new URL(`https://${options.host}`);
    if (!options.isInsecure()) return ping(secure);
    try {
      return await ping(secure);
    } catch (error) {
      signal.throwIfAborted();
      return ping(new URL(`http://${options.host}`)).catch(() => {
        throw error;
      });
    }
  }

  async function rootUrl(signal: AbortSignal): Promise<URL> {
    base ??= connect();
    const running = base;
    running.catch(() => {
      if (base === running) base = undefined;
    });
    return untilAborted(running, signal);
  }

  /** One try: with the credential, and once more with a new token where the registry no longer takes the old one. */
  async function sendOnce(
    request: RegistryRequest,
    purpose: Purpose,
    found: FoundCredential,
    first: URL,
    root: URL,
    visited: { url: URL },
  ): Promise<HttpAnswer> {
    let url = first;
    let refreshed = false;
    const authorize = () =>
      untilAborted(tokens.header(request.scopes, found.credential, purpose), request.signal);
    for (let hops = 0; ; ) {
      visited.url = url;
      const trusted = url.host === root.host && (url.protocol === root.protocol || url.protocol === 'https:');
      const authorization = trusted ? await authorize() : undefined;
      const answer = await http.send({
        method: request.method,
        url,
        headers: { ...request.headers, ...(authorization === undefined ? {} : { authorization }) },
        signal: request.signal,
        ...(request.body === undefined ? {} : { body: request.body() }),
        ...(request.headersTimeoutMs === undefined ? {} : { headersTimeoutMs: request.headersTimeoutMs }),
      });
      if (answer.status === 401 && trusted && !refreshed) {
        refreshed = true;
        const challenge = answer.headers['www-authenticate'];
        if (challenge !== undefined) tokens.learn(parseChallenges(challenge));
        if (authorization !== undefined) tokens.reject(authorization);
        const next = await authorize();
        if (next !== undefined && next !== authorization) {
          await discard(answer);
          continue;
        }
      }
      const location = answer.headers['location'];
      const isRead = request.method === 'GET' || request.method === 'HEAD';
      const follows =
        (isRead ? redirects : sameMethodRedirects).has(answer.status) && !request.ok.includes(answer.status);
      if (!follows || location === undefined) return answer;
      hops += 1;
      if (hops > maximumRedirects) return answer;
      await discard(answer);
      const next = new URL(location, url);
      if (
        next.protocol !== 'https:' &&
        !(next.protocol === 'http:' && (url.protocol === 'http:' || options.allowHttp(next)))
      ) {
        return answer;
      }
      url = next;
    }
  }

  return {
    registry,
    async request(request) {
      const { signal } = request;
      signal.throwIfAborted();
      const root = await rootUrl(signal);
      const found = await options.credentials.find(registry, request.repository);
      const purpose: Purpose = {
        action: request.action,
        registry,
        user: found.credential === undefined ? undefined : (found.credential.username ?? '<token>'),
        credentialProblem: found.problem,
      };
      const first = typeof request.target === 'string' ? new URL(request.target, root) : request.target;
      const visited = { url: first };
      const answer = await withRetries(
        purpose,
        request.retry ?? true,
        signal,
        () => visited.url,
        () => sendOnce(request, purpose, found, first, root, visited),
        (status) => request.ok.includes(status),
      );
      return { ...answer, url: visited.url };
    },
    resolveLocation(location, from) {
      const url = new URL(location, from);
      // Registries behind a proxy that ends TLS often name themselves by http.
      if (url.host === from.host && from.protocol === 'https:') url.protocol = 'https:';
      return url;
    },
    async login(credential, signal) {
      const root = await rootUrl(signal);
      const url = new URL('/v2/', root);
      const purpose: Purpose = { action: `log in to ${registry}`, registry, user: credential.username };
      const { header, identityToken } = await untilAborted(tokens.login(credential, purpose), signal);
      const answer = await withRetries(
        purpose,
        true,
        signal,
        () => url,
        () => http.send({ method: 'GET', url, headers: { authorization: header }, signal }),
        (status) => status === 200,
      );
      await discard(answer);
      return identityToken === undefined ? {} : { identityToken };
    },
  };
}
