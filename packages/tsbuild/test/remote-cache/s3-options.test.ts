/** Attributes of type=s3, and the form of its documents. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CacheTarget } from '../../src/api/types.js';
import { parseCacheFrom, parseCacheTo } from '../../src/cli/cache-spec.js';
import type { CacheDocument } from '../../src/remote-cache/medium.js';
import { fromObject, toObject } from '../../src/remote-cache/s3-document.js';
import { s3Options } from '../../src/remote-cache/s3-options.js';

const defaults = {
  bucket: 'b',
  region: undefined,
  names: ['buildkit'],
  prefix: '',
  blobsPrefix: 'blobs/',
  manifestsPrefix: 'manifests/',
  endpoint: undefined,
  usePathStyle: false,
  credentials: undefined,
  touchRefreshMs: 86_400_000,
  uploadParallelism: 4,
};

test('attributes become options', () => {
  const cases: [string, Record<string, string>, object][] = [
    ['bucket=b', {}, {}],
    ['mode=max', { AWS_BUCKET: 'env', AWS_REGION: 'eu-west-1' }, { bucket: 'env', region: 'eu-west-1' }],
    ['bucket=b,region=r', { AWS_BUCKET: 'env', AWS_REGION: 'e' }, { region: 'r' }],
    ['bucket=b,name=x;y', {}, { names: ['x', 'y'] }],
    [
      'bucket=b,prefix=p/,blobs_prefix=,manifests_prefix=m/',
      {},
      { prefix: 'p/', blobsPrefix: '', manifestsPrefix: 'm/' },
    ],
    [
      'bucket=b,endpoint_url=http://minio:9000,use_path_style=true',
      {},
      { endpoint: new URL('http://minio:9000'), usePathStyle: true, region: 'us-east-1' },
    ],
    [
      'bucket=b,access_key_id=i,secret_access_key=s',
      {},
      { credentials: { accessKeyId: 'i', secretAccessKey: 's' } },
    ],
    [
      'bucket=b,access_key_id=i,secret_access_key=s,session_token=t',
      {},
      { credentials: { accessKeyId: 'i', secretAccessKey: 's', sessionToken: 't' } },
    ],
    [
      'bucket=b,touch_refresh=1h30m,upload_parallelism=9',
      {},
      { touchRefreshMs: 5_400_000, uploadParallelism: 9 },
    ],
    ['bucket=b,touch_refresh=0', {}, { touchRefreshMs: 0 }],
  ];
  for (const [text, env, wanted] of cases) {
    assert.deepEqual(s3Options(target(text), env), { ...defaults, ...wanted }, text);
  }
});

function target(text: string): Extract<CacheTarget, { type: 's3' }> {
  const parsed = parseCacheTo(`type=s3,${text}`);
  assert.ok(parsed?.type === 's3');
  return parsed;
}

test('wrong attributes are errors before anything runs, and show no key', () => {
  const cases: [string, RegExp][] = [
    ['mode=max', /bucket= is missing/],
    ['bucket=b,buket=x', /unknown attribute "buket" \(did you mean bucket\?\)/],
    ['bucket=b,secret_access_key=hush,access_key_id=i,nosuch=1', /unknown attribute "nosuch"/],
    ['bucket=b,session_token=hush,mode=some', /unknown mode/],
    ['bucket=b,name=;', /name= holds no name/],
    ['bucket=b,endpoint_url=minio:9000', /endpoint_url/],
    ['bucket=b,endpoint_url=https://user:hush@minio', /endpoint_url/],
    ['bucket=b,secret_access_key=hush', /access_key_id and secret_access_key go together/],
    ['bucket=b,access_key_id=i', /go together/],
    ['bucket=b,session_token=hush', /go together/],
    ['bucket=b,use_path_style=yes', /use_path_style is true or false/],
    ['bucket=b,touch_refresh=soon', /touch_refresh is no time/],
    ['bucket=b,upload_parallelism=0', /upload_parallelism/],
    ['bucket=b,upload_parallelism=many', /upload_parallelism/],
  ];
  for (const [text, message] of cases) {
    assert.throws(
      () => s3Options(target(text), {}),
      (error: Error & { code?: string }) =>
        error.code === 'TSB_USAGE_BAD_CACHE' &&
        message.test(error.message) &&
        !error.message.includes('hush'),
      message.source,
    );
  }
});

test('a source takes what a target takes', () => {
  const text = 'type=s3,bucket=b,region=r,name=n,use_path_style=1,touch_refresh=1h,upload_parallelism=2';
  assert.deepEqual(parseCacheFrom(text), {
    type: 's3',
    bucket: 'b',
    region: 'r',
    name: 'n',
    usePathStyle: true,
  });
});

const digest = (digit: string) => `sha256:${digit.repeat(64)}` as CacheDocument['blobs'][number]['digest'];

test('a document comes back byte by byte', () => {
  const blobs = [
    { mediaType: 'layer', digest: digest('1'), size: 1, annotations: { 'containerd.io/uncompressed': 'x' } },
    { mediaType: 'own', digest: digest('2'), size: 2 },
  ];
  const configs = [
    '{}',
    '{"records":[]}',
    `{"layers":[{"blob":"${digest('1')}","parent":-1},{"blob":"${digest('9')}"}],"records":[]}`,
    `{ "layers": [] }\n`,
    `{"layers":[{"blob":"${digest('1')}","annotations":{"size":7}}],"more":1}`,
    '{"tsbuild":{"config":"eA=="}}',
  ];
  for (const config of configs) {
    const document = { config: Buffer.from(config), blobs, annotations: { a: 'b' } };
    assert.deepEqual(fromObject(toObject(document), 'it'), document, config);
  }
});

test('a document that BuildKit wrote is its config, with the blobs of its layers', () => {
  const layer = (digit: string) => ({
    blob: digest(digit),
    parent: -1,
    annotations: { mediaType: 'm', diffID: digest('d'), size: 3, createdAt: '2026-01-01T00:00:00Z' },
  });
  const bytes = Buffer.from(JSON.stringify({ layers: [layer('1'), layer('2'), layer('1')], records: [] }));
  const blob = (digit: string) => ({
    mediaType: 'm',
    digest: digest(digit),
    size: 3,
    annotations: {
      'containerd.io/uncompressed': digest('d'),
      'buildkit/createdat': '2026-01-01T00:00:00Z',
    },
  });
  assert.deepEqual(fromObject(bytes, 'it'), {
    config: bytes,
    blobs: [blob('1'), blob('2')],
    annotations: {},
  });
});

test('documents of wrong form are refused', () => {
  const layer = (annotations: object) => JSON.stringify({ layers: [{ blob: digest('1'), annotations }] });
  for (const text of [
    '',
    'null',
    '[]',
    '{"layers":{}}',
    '{"layers":[1]}',
    '{"layers":[{}]}',
    layer({ mediaType: 'm', size: -1 }),
    layer({ mediaType: 'm', size: 1.5 }),
    layer({ size: 1 }),
    layer({ mediaType: 'm', size: 1, diffID: 5 }),
    '{"tsbuild":[]}',
    '{"tsbuild":{}}',
    '{"tsbuild":{"blobs":[],"annotations":{"a":1}}}',
    '{"tsbuild":{"blobs":[{"digest":"sha256:1","size":1,"mediaType":"m"}],"annotations":{}}}',
  ]) {
    assert.throws(() => fromObject(Buffer.from(text), 'it'), { code: 'TSB_INTEGRITY_CACHE_DOCUMENT' }, text);
  }
});
