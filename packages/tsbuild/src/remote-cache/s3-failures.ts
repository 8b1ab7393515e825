/** What went wrong with a bucket, as errors for users: of the SDK's errors only name, status and message, never headers. */
import { type ErrorCode, TsbuildError } from '@tsbuild/core';
import { networkCode } from '@tsbuild/registry';

/** @param action completes "failed to" @param where the cache's name, for messages */
export function s3Error(action: string, where: string, error: unknown, signal: AbortSignal): unknown {
  if (TsbuildError.is(error) || signal.aborted || !(error instanceof Error)) return error;
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
  const code = networkCode(error);
  const fail = (errorCode: ErrorCode, why: string, hint: string, retryable = false) =>
    new TsbuildError(errorCode, `failed to ${action} (${where}): ${why}`, { hint, retryable });
  if (error.name === 'CredentialsProviderError' || /Could not load credentials/.test(error.message))
    return fail(
      'TSB_AUTH_S3',
      'no credentials were found',
      'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give access_key_id and secret_access_key.',
    );
  if (/Region is missing/.test(error.message))
    return fail('TSB_USAGE_BAD_CACHE', 'no region is known', 'Write region=REGION, or set AWS_REGION.');
  if (status === undefined && code !== undefined)
    return fail(
      'TSB_REGISTRY_UNREACHABLE',
      error.message === '' ? code : error.message,
      'Check endpoint_url and the network; set HTTPS_PROXY where a proxy is needed.',
      true,
    );
  if (status === undefined) return error;
  const why = said(error, status);
  if (status === 401 || status === 403)
    return fail(
      'TSB_AUTH_S3',
      why,
      'The keys need s3:GetObject and s3:ListBucket to read a cache, and s3:PutObject and s3:AbortMultipartUpload to write it.',
    );
  if (error.name === 'NoSuchBucket' || status === 301)
    return fail('TSB_REGISTRY_S3', why, 'Check bucket=, region= and endpoint_url=; buckets are not made.');
  return fail(
    'TSB_REGISTRY_S3',
    why,
    status >= 500 ? 'The server is in trouble; try again later.' : 'Check endpoint_url= and use_path_style=.',
    status >= 500,
  );
}

/** HEAD's errors, and those of servers that are none, have a name of the SDK's making and no message. */
function said(error: Error, status: number): string {
  const message = /deserializ/i.test(error.message) ? 'no answer of an S3 server' : error.message;
  const parts = [error.name, message].filter(
    (part) => !['', 'Error', 'Unknown', 'UnknownError'].includes(part),
  );
  const text = [...new Set(parts)].join(': ').replace(/[\p{C}\s]+/gu, ' ');
  return `${status}${text === '' ? '' : ` ${text.slice(0, 300)}`}`;
}
