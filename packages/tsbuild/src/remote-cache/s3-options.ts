/** Where a cache in a bucket is, with defaults filled in, and checked before anything runs. */
import { TsbuildError } from '@tsbuild/core';
import type { Environment } from '@tsbuild/registry';
import type { S3Location } from '../api/types.js';

export interface S3Options {
  bucket: string;
  /** Undefined: what the AWS configuration says. */
  region: string | undefined;
  /** A cache is written under all names and read from the first. */
  names: readonly [string, ...string[]];
  /** Before all keys. */
  prefix: string;
  blobsPrefix: string;
  manifestsPrefix: string;
  /** Undefined: AWS itself. */
  endpoint: URL | undefined;
  /** `ENDPOINT/BUCKET/KEY` instead of `BUCKET.ENDPOINT/KEY`. */
  usePathStyle: boolean;
  /** Undefined: the environment, ~/.aws, the machine's role: as the AWS command line finds them. */
  credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string } | undefined;
  /** Blobs whose object is older are copied onto themselves when they are needed again, milliseconds. */
  touchRefreshMs: number;
  /** Blobs that are uploaded at the same time. */
  uploadParallelism: number;
}

const dayMs = 24 * 60 * 60 * 1000;

/** @throws TsbuildError TSB_USAGE_BAD_CACHE */
export function s3Options(
  given: S3Location & { touchRefreshMs?: number; uploadParallelism?: number },
  env: Environment,
): S3Options {
  const bucket = given.bucket || env['AWS_BUCKET'];
  if (!bucket)
    throw wrong('bucket= is missing', 'Write type=s3,bucket=NAME,region=REGION, or set AWS_BUCKET.');
  const names = (given.name || 'buildkit').split(';').filter((name) => name !== '');
  const [first, ...others] = names;
  if (first === undefined)
    throw wrong('name= holds no name', 'Write name=NAME, or several with ; between them.');
  const endpoint = endpointOf(given.endpointUrl);
  return {
    bucket,
    // A server of one's own seldom has regions, but the signature needs a name.
    region: given.region || env['AWS_REGION'] || (endpoint === undefined ? undefined : 'us-east-1'),
    names: [first, ...others],
    prefix: given.prefix ?? '',
    blobsPrefix: given.blobsPrefix ?? 'blobs/',
    manifestsPrefix: given.manifestsPrefix ?? 'manifests/',
    endpoint,
    usePathStyle: given.usePathStyle ?? false,
    credentials: credentialsOf(given),
    touchRefreshMs: given.touchRefreshMs ?? dayMs,
    uploadParallelism: Math.max(1, given.uploadParallelism ?? 4),
  };
}

function endpointOf(text: string | undefined): URL | undefined {
  if (!text) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && ['http:', 'https:'].includes(url.protocol) && url.username + url.password === '')
    return url;
  throw wrong(
    'endpoint_url is not an http or https URL without a user',
    'Write endpoint_url=https://HOST[:PORT]; keys go into access_key_id and secret_access_key.',
  );
}

function credentialsOf({ accessKeyId, secretAccessKey, sessionToken }: S3Location): S3Options['credentials'] {
  if (!accessKeyId && !secretAccessKey && !sessionToken) return undefined;
  if (!accessKeyId || !secretAccessKey)
    throw wrong(
      'access_key_id and secret_access_key go together',
      'Give both, or neither: then the AWS_* variables, ~/.aws and the role of the machine are asked.',
    );
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
}

function wrong(what: string, hint: string): TsbuildError {
  return new TsbuildError('TSB_USAGE_BAD_CACHE', `type=s3: ${what}`, { hint });
}
