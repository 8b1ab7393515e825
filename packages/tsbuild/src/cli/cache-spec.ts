/** `--cache-from` and `--cache-to` values, as docker buildx has them. */
import { TsbuildError } from '@tsbuild/core';
import type { CacheAttributes, CacheSource, CacheTarget, Compression, S3Location } from '../api/types.js';
import { csvFields, csvPairs } from './csv.js';
import { nearest } from './nearest.js';
import { parseDuration } from './values.js';

type Flag = 'cache-from' | 'cache-to';
type Pairs = Map<string, string | undefined>;

/** Stores of CI systems that only their own runners can reach; builds go on without them. */
const passedOver = ['gha', 'azblob'];

const attributeKeys = [
  'mode',
  'ignore-error',
  'compression',
  'compression-level',
  'force-compression',
  'oci-mediatypes',
  'image-manifest',
];

const s3Texts = {
  bucket: 'bucket',
  region: 'region',
  name: 'name',
  prefix: 'prefix',
  blobs_prefix: 'blobsPrefix',
  manifests_prefix: 'manifestsPrefix',
  endpoint_url: 'endpointUrl',
  access_key_id: 'accessKeyId',
  secret_access_key: 'secretAccessKey',
  session_token: 'sessionToken',
} as const;
const s3Keys = [...Object.keys(s3Texts), 'use_path_style'];
/** docker buildx takes them with both flags; they say how a cache is written. */
const s3TargetKeys = ['touch_refresh', 'upload_parallelism'];

/** Whether the type is known and not supported: who calls says so. */
export function isPassedOver(name: Flag, text: string): boolean {
  return passedOver.includes(split(name, text).type);
}

/**
 * @returns undefined for a type that is passed over
 * @throws TsbuildError TSB_USAGE_BAD_CACHE
 */
export function parseCacheFrom(text: string): CacheSource | undefined {
  const { type, pairs } = split('cache-from', text);
  switch (type) {
    case 'registry':
      checkKeys('cache-from', text, pairs, ['ref']);
      return { type, ref: needed('cache-from', text, pairs, 'ref', 'ref=REGISTRY/NAME:TAG') };
    case 'local': {
      checkKeys('cache-from', text, pairs, ['src', 'tag', 'digest']);
      const src = needed('cache-from', text, pairs, 'src', 'src=FOLDER');
      return { type, src, ...optional(pairs, 'tag'), ...optional(pairs, 'digest') };
    }
    case 's3':
      checkKeys('cache-from', text, pairs, [...s3Keys, ...s3TargetKeys]);
      return { type, ...s3Location('cache-from', text, pairs) };
    case 'inline':
      throw bad(
        'cache-from',
        text,
        'an inline cache is read from the image',
        'Name the image: type=registry,ref=REGISTRY/NAME:TAG.',
      );
    default:
      return passOver('cache-from', text, type);
  }
}

/**
 * @returns undefined for a type that is passed over
 * @throws TsbuildError TSB_USAGE_BAD_CACHE
 */
export function parseCacheTo(text: string): CacheTarget | undefined {
  const { type, pairs } = split('cache-to', text);
  switch (type) {
    case 'registry':
      checkKeys('cache-to', text, pairs, ['ref', ...attributeKeys]);
      return {
        type,
        ref: needed('cache-to', text, pairs, 'ref', 'ref=REGISTRY/NAME:TAG'),
        ...attributes(text, pairs),
      };
    case 'local':
      checkKeys('cache-to', text, pairs, ['dest', 'tag', 'reset', ...attributeKeys]);
      return {
        type,
        dest: needed('cache-to', text, pairs, 'dest', 'dest=FOLDER'),
        ...optional(pairs, 'tag'),
        ...(pairs.has('reset') ? { reset: flag('cache-to', text, pairs, 'reset') } : {}),
        ...attributes(text, pairs),
      };
    case 's3':
      checkKeys('cache-to', text, pairs, [...s3Keys, ...s3TargetKeys, ...attributeKeys]);
      return {
        type,
        ...s3Location('cache-to', text, pairs),
        ...s3Upload(text, pairs),
        ...attributes(text, pairs),
      };
    case 'inline':
      checkKeys('cache-to', text, pairs, ['mode']);
      if (pairs.get('mode') === 'max')
        throw bad(
          'cache-to',
          text,
          'an inline cache holds the steps of the image only',
          'Leave mode out, or use type=registry.',
        );
      return { type };
    default:
      return passOver('cache-to', text, type);
  }
}

/** Text that is no list of attributes names an image, as in docker. */
function split(name: Flag, text: string): { type: string; pairs: Pairs } {
  if (!csvFields(name, text).some((field) => field.includes('=')))
    return { type: 'registry', pairs: new Map([['ref', text]]) };
  const pairs: Pairs = csvPairs(name, text);
  const type = pairs.get('type');
  if (type === undefined)
    throw bad(name, text, 'type= is missing', 'Write type=registry,ref=REGISTRY/NAME:TAG.');
  pairs.delete('type');
  return { type, pairs };
}

function passOver(name: Flag, text: string, type: string): undefined {
  if (passedOver.includes(type)) return undefined;
  const types = name === 'cache-from' ? ['registry', 'local', 's3'] : ['registry', 'local', 's3', 'inline'];
  const near = nearest(type, types);
  throw bad(
    name,
    text,
    `unknown type ${JSON.stringify(type)}${near === undefined ? '' : ` (did you mean ${near}?)`}`,
    `The types are ${types.join(', ')}.`,
  );
}

function attributes(text: string, pairs: Pairs): CacheAttributes {
  const found: CacheAttributes = {};
  const mode = pairs.get('mode');
  if (mode !== undefined) {
    if (mode !== 'min' && mode !== 'max')
      throw bad('cache-to', text, `unknown mode ${JSON.stringify(mode)}`, 'Write mode=min or mode=max.');
    found.mode = mode;
  }
  const compression = pairs.get('compression');
  if (compression !== undefined) {
    if (!['uncompressed', 'gzip', 'zstd'].includes(compression))
      throw bad(
        'cache-to',
        text,
        `unknown compression ${JSON.stringify(compression)}`,
        'It is one of uncompressed, gzip, zstd.',
      );
    found.compression = compression as Compression;
  }
  const level = pairs.get('compression-level');
  if (level !== undefined) {
    if (!/^\d{1,2}$/.test(level))
      throw bad(
        'cache-to',
        text,
        'compression-level is not a number',
        'Write 0 to 9 for gzip, 1 to 22 for zstd.',
      );
    found.compressionLevel = Number(level);
  }
  if (pairs.has('force-compression'))
    found.forceCompression = flag('cache-to', text, pairs, 'force-compression');
  if (pairs.has('ignore-error')) found.ignoreError = flag('cache-to', text, pairs, 'ignore-error');
  if (pairs.has('image-manifest')) found.imageManifest = flag('cache-to', text, pairs, 'image-manifest');
  return found;
}

function s3Location(name: Flag, text: string, pairs: Pairs): S3Location {
  const found: S3Location = {};
  for (const [key, member] of Object.entries(s3Texts)) {
    const value = pairs.get(key);
    if (value !== undefined) found[member] = value;
  }
  if (pairs.has('use_path_style')) found.usePathStyle = flag(name, text, pairs, 'use_path_style');
  return found;
}

function s3Upload(text: string, pairs: Pairs): { touchRefreshMs?: number; uploadParallelism?: number } {
  const refresh = pairs.get('touch_refresh');
  const parallelism = pairs.get('upload_parallelism');
  if (parallelism !== undefined && !/^[1-9]\d{0,2}$/.test(parallelism))
    throw bad('cache-to', text, 'upload_parallelism is no number of blobs', 'Write upload_parallelism=4.');
  return {
    ...(refresh === undefined ? {} : { touchRefreshMs: duration(text, refresh) }),
    ...(parallelism === undefined ? {} : { uploadParallelism: Number(parallelism) }),
  };
}

function duration(text: string, value: string): number {
  try {
    return value === '0' ? 0 : parseDuration('cache-to', value);
  } catch {
    throw bad('cache-to', text, 'touch_refresh is no time', 'Write it with its unit: touch_refresh=24h.');
  }
}

function needed(name: Flag, text: string, pairs: Pairs, key: string, example: string): string {
  const value = pairs.get(key);
  if (value === undefined || value === '')
    throw bad(name, text, `${key}= is missing`, `Write it with ${example}.`);
  return value;
}

function optional<Key extends string>(pairs: Pairs, key: Key): { [K in Key]?: string } {
  const value = pairs.get(key);
  return value === undefined ? {} : ({ [key]: value } as { [K in Key]?: string });
}

function flag(name: Flag, text: string, pairs: Pairs, key: string): boolean {
  const value = pairs.get(key) ?? 'true';
  if (/^(true|1)$/i.test(value)) return true;
  if (/^(false|0)$/i.test(value)) return false;
  throw bad(name, text, `${key} is true or false`, `Write ${key}=true.`);
}

function checkKeys(name: Flag, text: string, pairs: Pairs, known: readonly string[]): void {
  for (const key of pairs.keys()) {
    if (known.includes(key)) continue;
    const near = nearest(key, known);
    throw bad(
      name,
      text,
      `unknown attribute ${JSON.stringify(key)}${near === undefined ? '' : ` (did you mean ${near}?)`}`,
      `This type takes ${known.join(', ')}.`,
    );
  }
}

/** The text is shown without its keys: it ends in logs. */
function bad(name: Flag, text: string, why: string, hint: string): TsbuildError {
  const shown = text.replace(/(secret_access_key|session_token)=[^,"]*/g, '$1=…');
  return new TsbuildError(
    'TSB_USAGE_BAD_CACHE',
    `invalid value ${JSON.stringify(shown)} for --${name}: ${why}`,
    {
      hint,
    },
  );
}
