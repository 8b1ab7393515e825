/** Which failures are worth another try, and when. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface RetryPolicy {
  /** Tries in all, the first included. */
  attempts: number;
  /** First pause, milliseconds; doubled each time, of which a random half to whole is waited. */
  baseMs: number;
  maxMs: number;
  /** Longest Retry-After that is waited for, milliseconds; a longer one ends the tries. */
  maxRetryAfterMs: number;
}

export const defaultRetryPolicy: RetryPolicy = {
  attempts: 5,
  baseMs: 500,
  maxMs: 15_000,
  maxRetryAfterMs: 60_000,
};

const transientCodes = new Set([
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'EAI_AGAIN',
  'ECONNABORTED',
  'UND_ERR_SOCKET',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_SSL_BAD_RECORD_MAC',
]);

/** The code of an error or of the first of its causes that has one. */
export function networkCode(error: unknown): string | undefined {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1) {
    const code = (at as NodeJS.ErrnoException).code;
    if (typeof code === 'string') return code;
    if (at instanceof AggregateError && at.errors[0] !== undefined) return networkCode(at.errors[0]);
  }
  return undefined;
}

/** A connection that broke or timed out; a refused one, an unknown host or a bad certificate stays as it is. */
export function isTransient(error: unknown): boolean {
  const code = networkCode(error);
  return code !== undefined && (transientCodes.has(code) || code.startsWith('HPE_'));
}

/** 408, 429 and the 5xx that a second try may cure. 501 and 505 say that none will. */
export function isTransientStatus(status: number): boolean {
  return status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 505);
}

/** Milliseconds a Retry-After header asks for (RFC 9110, 10.2.3), or undefined. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

/** Waits before try number `attempt` (1 for the second). @returns false where no try is left or it would be too long. */
export async function pause(
  attempt: number,
  policy: RetryPolicy,
  signal: AbortSignal,
  wantedMs?: number,
): Promise<boolean> {
  if (attempt >= policy.attempts) return false;
  if (wantedMs !== undefined && wantedMs > policy.maxRetryAfterMs) return false;
  const backoff = Math.min(policy.maxMs, policy.baseMs * 2 ** (attempt - 1));
  const wait = wantedMs ?? backoff / 2 + Math.random() * (backoff / 2);
  await sleep(wait, undefined, { signal }).catch(() => signal.throwIfAborted());
  return true;
}
