/** HTTP requests by undici under one policy of trust and proxies. Redirects, retries and credentials are the callers'. */
import type { Dispatcher } from 'undici';
import type { ByteStream } from '../api.js';
import { proxyFor, type Environment } from './proxy.js';
import type { TlsSettings, Trust } from './trust.js';

export interface HttpRequest {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  url: URL;
  headers?: Record<string, string>;
  /** A stream needs a content-length header, else it is sent chunked. */
  body?: Uint8Array | string | ByteStream;
  signal: AbortSignal;
  /** How long the answer may take after the last byte was sent, milliseconds. Default 60 s. */
  headersTimeoutMs?: number;
}

export interface HttpAnswer {
  status: number;
  /** Names in lower case; several of one name are joined by ", ". */
  headers: Record<string, string>;
  /** Has to be read to its end, or given to `discard`. */
  body: Dispatcher.ResponseData['body'];
}

export interface HttpClient {
  /** Throws what undici throws: errors with a `code`. */
  send(request: HttpRequest): Promise<HttpAnswer>;
  close(): Promise<void>;
}

export interface HttpClientOptions {
  trust: Trust;
  env: Environment;
  /** Longest silence while a body moves, milliseconds. Default 60 s. */
  idleTimeoutMs?: number;
  userAgent?: string;
}

const defaultTimeoutMs = 60_000;
const connectTimeoutMs = 20_000;
/** Connections to one origin; callers bound their own parallelism below it. */
const connectionsPerOrigin = 32;

export function createHttpClient(options: HttpClientOptions): HttpClient {
  const dispatchers = new Map<string, Promise<Dispatcher>>();
  const idleTimeoutMs = options.idleTimeoutMs ?? defaultTimeoutMs;

  function dispatcherFor(url: URL): Promise<Dispatcher> {
    const proxy = proxyFor(url, options.env);
    const key = `${url.protocol}//${url.host} ${proxy?.href ?? ''}`;
    let found = dispatchers.get(key);
    if (found === undefined) {
      found = create(url, proxy);
      dispatchers.set(key, found);
    }
    return found;
  }

  async function create(url: URL, proxy: URL | undefined): Promise<Dispatcher> {
    const { Agent, ProxyAgent } = await import('./undici.js');
    const common = {
      bodyTimeout: idleTimeoutMs,
      headersTimeout: defaultTimeoutMs,
      connections: connectionsPerOrigin,
      connectTimeout: connectTimeoutMs,
    };
    const tls = url.protocol === 'https:' ? await options.trust.tlsFor(url.host) : undefined;
    if (proxy === undefined) {
      return new Agent({ ...common, connect: { ...tls, timeout: connectTimeoutMs, autoSelectFamily: true } });
    }
    const proxyTls: TlsSettings | undefined =
      proxy.protocol === 'https:' ? await options.trust.tlsFor(proxy.host) : undefined;
    return new ProxyAgent({
      ...common,
      uri: proxy.href,
      // A plain request goes to the proxy as such: most proxies refuse CONNECT to port 80.
      proxyTunnel: false,
      ...(tls === undefined ? {} : { requestTls: tls }),
      ...(proxyTls === undefined ? {} : { proxyTls }),
    });
  }

  return {
    async send(request) {
      request.signal.throwIfAborted();
      const { request: undiciRequest } = await import('./undici.js');
      const { statusCode, headers, body } = await undiciRequest(request.url, {
        dispatcher: await dispatcherFor(request.url),
        method: request.method,
        headers: { 'user-agent': options.userAgent ?? 'tsbuild', ...request.headers },
        body: (request.body ?? null) as Dispatcher.DispatchOptions['body'] & {},
        signal: request.signal,
        headersTimeout: request.headersTimeoutMs ?? defaultTimeoutMs,
        bodyTimeout: idleTimeoutMs,
      });
      return { status: statusCode, headers: flatten(headers), body };
    },
    async close() {
      const open = [...dispatchers.values()];
      dispatchers.clear();
      await Promise.all(open.map(async (dispatcher) => (await dispatcher.catch(() => undefined))?.destroy()));
    },
  };
}

function flatten(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) result[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return result;
}

/** Ends an answer whose body is of no interest, so that its connection can be used again where little is left of it. */
export async function discard(answer: HttpAnswer): Promise<void> {
  await answer.body.dump({ limit: 64 * 1024 }).catch(() => undefined);
}
