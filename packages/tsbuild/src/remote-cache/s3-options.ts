/** Attributes of `type=s3` caches, as docker buildx has them, to options that are checked and whole. */
import { didYouMean, TsbuildError } from '@tsbuild/core';
import type { Environment } from '@tsbuild/registry';
import { parseDuration } from '../cli/values.js';

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

const attributes = [
  'bucket',
  'region',
  'name',
  'prefix',
  'blobs_prefix',
  'manifests_prefix',
  'endpoint_url',
  'use_path_style',
  'access_key_id',
  'secret_access_key',
  'session_token',
  'touch_refresh',
  'upload_parallelism',
];
const dayMs = 24 * 60 * 60 * 1000;

/** @param given without `type` and what all types of caches have @throws TsbuildError TSB_USAGE_CACHE_S3 */
export function s3Options(given: Readonly<Record<string, string>>, env: Environment): S3Options {
  for (const key of Object.keys(given)) {
    if (!attributes.includes(key))
      throw wrong(
        `unknown attribute ${JSON.stringify(key)}${didYouMean(key, attributes)}`,
        `There are ${attributes.join(', ')}.`,
      );
  }
  const bucket = given['bucket'] || env['AWS_BUCKET'];
  if (!bucket)
    throw wrong('bucket= is missing', 'Write type=s3,bucket=NAME,region=REGION, or set AWS_BUCKET.');
  const names = (given['name'] || 'buildkit').split(';').filter((name) => name !== '');
  const [first, ...others] = names;
  if (first === undefined)
    throw wrong('name= holds no name', 'Write name=NAME, or several with ; between them.');
  const endpoint = endpointOf(given['endpoint_url']);
  return {
    bucket,
    // A server of one's own seldom has regions, but the signature needs a name.
    region: given['region'] || env['AWS_REGION'] || (endpoint === undefined ? undefined : 'us-east-1'),
    names: [first, ...others],
    prefix: given['prefix'] ?? '',
    blobsPrefix: given['blobs_prefix'] ?? 'blobs/',
    manifestsPrefix: given['manifests_prefix'] ?? 'manifests/',
    endpoint,
    usePathStyle: truth('use_path_style', given['use_path_style']),
    credentials: credentialsOf(given),
    touchRefreshMs: duration(given['touch_refresh']),
    uploadParallelism: parallelism(given['upload_parallelism']),
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

function credentialsOf(given: Readonly<Record<string, string>>): S3Options['credentials'] {
  const accessKeyId = given['access_key_id'];
  const secretAccessKey = given['secret_access_key'];
  const sessionToken = given['session_token'];
  if (!accessKeyId && !secretAccessKey && !sessionToken) return undefined;
  if (!accessKeyId || !secretAccessKey)
    throw wrong(
      'access_key_id and secret_access_key go together',
      'Give both, or neither: then the AWS_* variables, ~/.aws and the role of the machine are asked.',
    );
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
}

/** The words of Go's strconv.ParseBool. */
function truth(name: string, text: string | undefined): boolean {
  if (text === undefined || ['0', 'f', 'F', 'false', 'False', 'FALSE'].includes(text)) return false;
  if (['1', 't', 'T', 'true', 'True', 'TRUE'].includes(text)) return true;
  throw wrong(`${name} is ${JSON.stringify(text)}`, `Write ${name}=true or ${name}=false.`);
}

function duration(text: string | undefined): number {
  if (text === undefined) return dayMs;
  try {
    return text === '0' ? 0 : parseDuration('cache-to', text);
  } catch (cause) {
    throw new TsbuildError('TSB_USAGE_CACHE_S3', `type=s3: touch_refresh is ${JSON.stringify(text)}`, {
      hint: 'Write a time with its unit, for example touch_refresh=24h.',
      cause,
    });
  }
}

function parallelism(text: string | undefined): number {
  if (text === undefined) return 4;
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text);
  throw wrong(
    `upload_parallelism is ${JSON.stringify(text)}`,
    'Write a whole number from 1 to 999, for example upload_parallelism=4.',
  );
}

function wrong(what: string, hint: string): TsbuildError {
  return new TsbuildError('TSB_USAGE_CACHE_S3', `type=s3: ${what}`, { hint });
}
