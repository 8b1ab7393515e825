/** Plain URLs (ADD https://…) under the same policy of proxies and certificates as registries. */
import { TsbuildError } from '@tsbuild/core';
import type { ByteStream } from './api.js';
import { discard, type HttpAnswer, type HttpClient } from './http/client.js';
import {
  isTransient,
  isTransientStatus,
  networkCode,
  pause,
  retryAfterMs,
  type RetryPolicy,
} from './http/retry.js';

export interface FetchedUrl {
  status: number;
  /** Names in lower case. */
  headers: Record<string, string>;
  /** Has to be read to its end or closed. */
  body: ByteStream;
}

/** Go's http.Client follows ten. */
const maximumRedirects = 10;
const redirects = new Set([301, 302, 303, 307, 308]);

function unreachable(url: URL, why: string, hint: string, cause?: unknown): TsbuildError {
  return new TsbuildError('TSB_CONTEXT_URL', `failed to fetch ${withoutUser(url)}: ${why}`, { hint, cause });
}

/** Passwords in URLs are not for messages. */
function withoutUser(url: URL): string {
  const shown = new URL(url);
  shown.username = '';
  shown.password = '';
  return shown.href;
}

/** User and password of a URL as a header, which is not sent on to other hosts. */
function basicOf(url: URL): Record<string, string> {
  if (url.username === '' && url.password === '') return {};
  const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

/**
 * GETs a URL; redirects are followed, broken connections and busy servers tried again until
 * the answer begins. Any status is an answer.
 * @throws TsbuildError TSB_CONTEXT_URL
 */
export async function fetchUrl(
  http: HttpClient,
  retry: RetryPolicy,
  target: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<FetchedUrl> {
  const start = URL.canParse(target) ? new URL(target) : undefined;
  if (start === undefined || !['http:', 'https:'].includes(start.protocol)) {
    throw new TsbuildError('TSB_CONTEXT_URL', `${JSON.stringify(target)} is not an http or https URL`);
  }
  let url = start;
  let own: Record<string, string> = { ...headers, ...basicOf(url) };
  for (let hops = 0; ; hops += 1) {
    const answer = await send(http, retry, url, own, signal);
    const location = answer.headers['location'];
    if (!redirects.has(answer.status) || location === undefined) {
      return { status: answer.status, headers: answer.headers, body: answer.body as ByteStream };
    }
    await discard(answer);
    if (hops === maximumRedirects)
      throw unreachable(start, `stopped after ${maximumRedirects} redirects`, 'Name the final URL.');
    if (!URL.canParse(location, url.href))
      throw unreachable(start, `redirected to ${JSON.stringify(location)}`, 'The server is at fault.');
    const next = new URL(location, url);
    if (!['http:', 'https:'].includes(next.protocol)) {
      throw unreachable(start, `redirected to ${withoutUser(next)}`, 'Only http and https are followed.');
    }
    if (next.host !== url.host) {
      const { authorization: _authorization, cookie: _cookie, ...rest } = own;
      own = rest;
    }
    url = next;
  }
}

async function send(
  http: HttpClient,
  retry: RetryPolicy,
  url: URL,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const bare = new URL(withoutUser(url));
  for (let attempt = 1; ; attempt += 1) {
    let answer: HttpAnswer;
    try {
      answer = await http.send({ method: 'GET', url: bare, headers, signal });
    } catch (error) {
      signal.throwIfAborted();
      if (isTransient(error) && (await pause(attempt, retry, signal))) continue;
      if (TsbuildError.is(error) || networkCode(error) === undefined) throw error;
      const hint = 'Check the URL and the network; set HTTPS_PROXY where a proxy is needed.';
      throw unreachable(url, (error as Error).message, hint, error);
    }
    if (!isTransientStatus(answer.status)) return answer;
    const wanted = retryAfterMs(answer.headers['retry-after'], Date.now());
    if (!(await pause(attempt, retry, signal, wanted))) return answer;
    await discard(answer);
  }
}
