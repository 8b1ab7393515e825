/**
 * Authorization headers for one registry: Basic, or bearer tokens per set of scopes
 * (distribution docs, spec/auth/token.md and oauth.md). A token is asked for once however many wait for it.
 */
import { TsbuildError } from '@tsbuild/core';
import type { Challenge } from '../auth/challenge.js';
import type { Credential } from '../auth/credentials.js';
import { discard, type HttpAnswer, type HttpRequest } from '../http/client.js';
import type { Purpose } from './failures.js';

export interface Tokens {
  /** The header's value; undefined for anonymous access without tokens. */
  header(
    scopes: readonly string[],
    credential: Credential | undefined,
    purpose: Purpose,
  ): Promise<string | undefined>;
  /** The registry no longer takes this value: it is not given out again. */
  reject(value: string): void;
  /** What the registry asks for. */
  learn(challenges: readonly Challenge[]): void;
  /** As `header`, with a refresh token asked for, to be kept instead of the password where the server gives one. */
  login(credential: Credential, purpose: Purpose): Promise<{ header: string; identityToken?: string }>;
}

interface Token {
  header: string;
  expiresAtMs: number;
}

/** Lifetime where the server names none (token.md), and how long before its end a token is renewed. */
const defaultLifetimeSeconds = 60;
const marginMs = 10_000;
const answerLimit = 1 << 20;
const clientId = 'tsbuild';

/**
 * @param send sends with retries; throws on an answer other than 2xx
 * @param allowHttp whether the token server may be spoken to in the clear
 */
export function createTokens(
  send: (request: Omit<HttpRequest, 'signal'>, purpose: Purpose) => Promise<HttpAnswer>,
  allowHttp: (url: URL) => boolean,
): Tokens {
  let challenge: Challenge | undefined;
  const kept = new Map<string, { token?: Token; running: Promise<Token> }>();

  const keyOf = (scopes: readonly string[], credential: Credential | undefined) =>
    JSON.stringify([
      [...new Set(scopes)].sort(),
      credential?.username,
      credential?.password,
      credential?.identityToken,
    ]);

  function realmOf(bearer: Challenge): URL {
    const realm = bearer.parameters['realm'] ?? '';
    const url = URL.canParse(realm) ? new URL(realm) : undefined;
    if (url?.protocol === 'https:' || (url?.protocol === 'http:' && allowHttp(url))) return url;
    throw new TsbuildError(
      'TSB_REGISTRY_BAD_ANSWER',
      `the registry names ${JSON.stringify(realm)} as its token server`,
      {
        hint: 'Tokens are only fetched by https, or from hosts allowed with --insecure-registry.',
      },
    );
  }

  async function fetchToken(
    bearer: Challenge,
    scopes: readonly string[],
    credential: Credential | undefined,
    purpose: Purpose,
    offline = false,
  ): Promise<Token & { identityToken?: string }> {
    const url = realmOf(bearer);
    const service = bearer.parameters['service'];
    const wanted = [...new Set(scopes)];
    let answer: HttpAnswer;
    if (credential?.identityToken !== undefined) {
      const form = new URLSearchParams({
        grant_type: 'refresh_token',
        client_id: clientId,
        refresh_token: credential.identityToken,
        ...(service === undefined ? {} : { service }),
        ...(wanted.length === 0 ? {} : { scope: wanted.join(' ') }),
      });
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      answer = await send({ method: 'POST', url, headers, body: form.toString() }, purpose);
    } else {
      if (service !== undefined) url.searchParams.set('service', service);
      for (const scope of wanted) url.searchParams.append('scope', scope);
      if (credential?.username !== undefined) url.searchParams.set('account', credential.username);
      if (offline) {
        url.searchParams.set('offline_token', 'true');
        url.searchParams.set('client_id', clientId);
      }
      const basic = basicHeader(credential);
      answer = await send(
        { method: 'GET', url, headers: basic === undefined ? {} : { authorization: basic } },
        purpose,
      );
    }
    return decodeToken(await readJson(answer, url), url);
  }

  return {
    learn(challenges) {
      challenge =
        challenges.find(({ scheme }) => scheme === 'bearer') ??
        challenges.find(({ scheme }) => scheme === 'basic') ??
        challenge;
    },
    async header(scopes, credential, purpose) {
      if (credential?.registryToken !== undefined) return `Bearer ${credential.registryToken}`;
      if (challenge === undefined) return undefined;
      if (challenge.scheme === 'basic') return basicHeader(credential);
      const key = keyOf(scopes, credential);
      const found = kept.get(key);
      const isFresh = found?.token === undefined || found.token.expiresAtMs > Date.now() + marginMs;
      if (found !== undefined && isFresh) return (await found.running).header;
      const entry: { token?: Token; running: Promise<Token> } = {
        running: fetchToken(challenge, scopes, credential, purpose),
      };
      kept.set(key, entry);
      try {
        entry.token = await entry.running;
      } catch (error) {
        if (kept.get(key) === entry) kept.delete(key);
        throw error;
      }
      return entry.token.header;
    },
    reject(value) {
      for (const [key, entry] of kept) {
        if (entry.token?.header === value) kept.delete(key);
      }
    },
    async login(credential, purpose) {
      const basic = basicHeader(credential);
      if (challenge?.scheme !== 'bearer') return { header: basic ?? '' };
      const token = await fetchToken(challenge, [], credential, purpose, true);
      return {
        header: token.header,
        ...(token.identityToken === undefined ? {} : { identityToken: token.identityToken }),
      };
    },
  };
}

function basicHeader(credential: Credential | undefined): string | undefined {
  if (credential?.username === undefined || credential.password === undefined) return undefined;
  return `Basic ${Buffer.from(`${credential.username}:${credential.password}`).toString('base64')}`;
}

async function readJson(answer: HttpAnswer, url: URL): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer.body) {
    chunks.push(chunk as Buffer);
    size += (chunk as Buffer).length;
    if (size > answerLimit) {
      await discard(answer);
      break;
    }
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as Record<string, unknown>;
  } catch {
    throw badToken(url);
  }
}

function decodeToken(value: Record<string, unknown>, url: URL): Token & { identityToken?: string } {
  const text = value?.['token'] || value?.['access_token'];
  if (typeof text !== 'string' || /[^\x21-\x7e]/.test(text)) throw badToken(url);
  const seconds = Number(value['expires_in'] ?? defaultLifetimeSeconds);
  const refresh = value['refresh_token'];
  return {
    header: `Bearer ${text}`,
    // Reckoned from now, not from issued_at: the server's clock is not ours.
    expiresAtMs: Date.now() + Math.max(Number.isFinite(seconds) ? seconds : 0, defaultLifetimeSeconds) * 1000,
    ...(typeof refresh === 'string' && refresh !== '' ? { identityToken: refresh } : {}),
  };
}

function badToken(url: URL): TsbuildError {
  return new TsbuildError('TSB_REGISTRY_BAD_ANSWER', `the token server ${url.host} gave no token`, {
    hint: 'Something between here and the server may answer for it: check proxies.',
  });
}
