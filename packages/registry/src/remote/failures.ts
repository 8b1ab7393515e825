/** Failed requests as errors for users: what was asked of whom, what the registry said, what to do. */
import { TsbuildError, type ErrorCode } from '@tsbuild/core';
import type { HttpAnswer } from '../http/client.js';
import { isTransient, isTransientStatus, networkCode } from '../http/retry.js';

/** What a request was for. */
export interface Purpose {
  /** `pull docker.io/library/alpine:latest`, `push …`, `log in to …`: completes "failed to". */
  action: string;
  /** The registry's name as the user writes it. */
  registry: string;
  /** User name, or undefined for anonymous. */
  user?: string | undefined;
  /** Why configured credentials were not used. */
  credentialProblem?: string | undefined;
}

const bodyLimit = 16 * 1024;

/** What an answer of the registry's own error format says (distribution-spec, "Error Codes"), else the start of the text. */
export async function errorText(answer: HttpAnswer): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of answer.body) {
      chunks.push(chunk as Buffer);
      size += (chunk as Buffer).length;
      if (size >= bodyLimit) break;
    }
  } catch {
    // The status is what counts; its explanation broke off.
  } finally {
    answer.body.on('error', () => undefined).destroy();
  }
  const text = Buffer.concat(chunks).subarray(0, bodyLimit).toString('utf8').trim();
  return readErrors(text) ?? printable(text.replace(/<[^>]*>/g, ' '));
}

function readErrors(text: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const {
    errors,
    message,
    details,
    error_description: description,
  } = (value ?? {}) as Record<string, unknown>;
  if (Array.isArray(errors) && errors.length > 0) {
    return errors
      .map((entry: { code?: unknown; message?: unknown }) =>
        printable(
          [entry?.code, entry?.message].filter((part) => typeof part === 'string' && part !== '').join(': '),
        ),
      )
      .join('; ');
  }
  const plain = [message, details, description].find((part) => typeof part === 'string');
  return typeof plain === 'string' ? printable(plain) : undefined;
}

function printable(text: string): string {
  return text
    .replace(/[\p{C}\s]+/gu, ' ')
    .trim()
    .slice(0, 500);
}

function identity(purpose: Purpose): string {
  return purpose.user === undefined ? 'anonymous' : `as user ${purpose.user}`;
}

/** The error for an answer that is none of the wanted ones. */
export function statusError(purpose: Purpose, url: URL, status: number, said: string): TsbuildError {
  const told = said === '' ? '' : `: ${said}`;
  const from = `${status} from ${url.host}`;
  const fail = (code: ErrorCode, message: string, hint: string) =>
    new TsbuildError(code, message, { hint, retryable: isTransientStatus(status) });
  const login = `tsbuild login ${purpose.registry}`;
  if (status === 401 || status === 403) {
    const problem = purpose.credentialProblem === undefined ? '' : ` (${purpose.credentialProblem})`;
    const hint =
      purpose.user === undefined
        ? `Log in with \`${login}\` if it is private, and check the name: a repository that does not exist looks the same.`
        : `User ${purpose.user} may not do this, or its password or token has expired: log in again with \`${login}\`, and check the name.`;
    return fail(
      'TSB_AUTH_DENIED',
      `failed to ${purpose.action}: access denied (${from}, ${identity(purpose)})${told}${problem}`,
      hint,
    );
  }
  if (status === 404) {
    return fail(
      'TSB_RESOLVE_NOT_FOUND',
      `failed to ${purpose.action}: not found (${from})${told}`,
      'Check the spelling of name and tag.',
    );
  }
  if (status === 429) {
    return fail(
      'TSB_REGISTRY_RATE_LIMITED',
      `failed to ${purpose.action}: too many requests (${from}, ${identity(purpose)})${told}`,
      purpose.user === undefined
        ? `Log in with \`${login}\`: known users get more; or name a mirror in registries.conf.`
        : 'Wait and try again, or name a mirror in registries.conf.',
    );
  }
  const hints: Record<number, string> = {
    400: 'Where this is no registry, check host and port; a proxy in between may have changed the request.',
    405: 'The registry does not take this; it may be read-only or a pull-through cache.',
    413: 'The registry, or a proxy before it, takes no bodies of this size: raise its limit (nginx: client_max_body_size), or make the layer smaller.',
    416: 'The registry lost its place in the upload; try again.',
  };
  const hint =
    hints[status] ??
    (status >= 500 ? 'The registry is in trouble; try again later.' : 'The registry refused the request.');
  return fail('TSB_REGISTRY_STATUS', `failed to ${purpose.action}: unexpected status ${from}${told}`, hint);
}

const certificateCodes = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_HAS_EXPIRED',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'CERT_UNTRUSTED',
  'CERT_NOT_YET_VALID',
  'CERT_SIGNATURE_FAILURE',
  'CERT_REVOKED',
  'HOSTNAME_MISMATCH',
]);

/** The error for a request that got no answer. Errors that are already ours, and aborts, pass. */
export function networkError(purpose: Purpose, url: URL, error: unknown, signal: AbortSignal): unknown {
  if (TsbuildError.is(error) || signal.aborted) return error;
  const code = networkCode(error);
  if (code === undefined) return error;
  const reason = error instanceof Error && error.message !== '' ? error.message : code;
  const message = `failed to ${purpose.action}: ${url.host}: ${reason}`;
  const facts = { cause: error, retryable: isTransient(error) };
  if (certificateCodes.has(code)) {
    return new TsbuildError('TSB_REGISTRY_CERTIFICATE', message, {
      ...facts,
      hint: `Put the certificate of its authority in /etc/docker/certs.d/${url.host}/ca.crt or a bundle named by SSL_CERT_FILE, or allow any with --insecure-registry ${url.host}.`,
    });
  }
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) {
    return new TsbuildError('TSB_REGISTRY_TLS', message, {
      ...facts,
      hint: `If it speaks plain http, say --insecure-registry ${url.host}.`,
    });
  }
  const hints: Record<string, string> = {
    ENOTFOUND: `No such host: check the name ${url.hostname}, and the network's DNS.`,
    EAI_AGAIN:
      'The name server does not answer: check the network, or set HTTPS_PROXY where a proxy is needed.',
    ECONNREFUSED: `Nothing listens there: check the host and port ${url.host}, and whether the registry runs.`,
  };
  return new TsbuildError('TSB_REGISTRY_UNREACHABLE', message, {
    ...facts,
    hint: hints[code] ?? 'Check the network; set HTTPS_PROXY where a proxy is needed.',
  });
}
