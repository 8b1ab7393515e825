/**
 * The medium of type=s3 against a real server (npm test starts OpenStack Swift with its S3 API), and what it makes of
 * servers that fail.
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { CreateBucketCommand, ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3';
import { type Descriptor, type Digest, sha256, TsbuildError } from '@tsbuild/core';
import type { ByteStream, Transfer } from '@tsbuild/registry';
import { parseCacheTo } from '../../src/cli/cache-spec.js';
import type { CacheDocument } from '../../src/remote-cache/medium.js';
import { openBucket } from '../../src/remote-cache/s3-bucket.js';
import { s3Medium } from '../../src/remote-cache/s3-medium.js';
import { type S3Options, s3Options } from '../../src/remote-cache/s3-options.js';

const server = process.env['TSBUILD_TEST_S3'] ?? '';
const withServer = { skip: server === '' && 'no S3 server: npm test starts one' };
const signal = AbortSignal.timeout(120_000);
const mebibyte = 1024 * 1024;

/** As users write them, with a bucket of the test's own. */
async function attributes(): Promise<Record<string, string>> {
  const given = {
    bucket: `cache-${randomBytes(6).toString('hex')}`,
    region: process.env['TSBUILD_TEST_S3_REGION'] ?? '',
    access_key_id: process.env['TSBUILD_TEST_S3_ACCESS_KEY'] ?? '',
    secret_access_key: process.env['TSBUILD_TEST_S3_SECRET_KEY'] ?? '',
    endpoint_url: server,
    use_path_style: 'true',
  };
  await client(given).send(new CreateBucketCommand({ Bucket: given.bucket }));
  return given;
}

function client(given: Record<string, string>): S3Client {
  return new S3Client({
    endpoint: given['endpoint_url'] ?? '',
    region: given['region'] ?? '',
    forcePathStyle: true,
    credentials: {
      accessKeyId: given['access_key_id'] ?? '',
      secretAccessKey: given['secret_access_key'] ?? '',
    },
  });
}

function options(given: Record<string, string>): S3Options {
  const text = Object.entries(given).map(([name, value]) => `${name}=${value}`);
  const target = parseCacheTo(['type=s3', ...text].join(','));
  assert.ok(target?.type === 's3');
  return s3Options(target, {});
}

const medium = (given: Record<string, string>) => s3Medium(options(given));

function blobOf(bytes: Uint8Array): Descriptor {
  return { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: sha256(bytes), size: bytes.length };
}

async function* chunk(bytes: Uint8Array): ByteStream {
  yield bytes;
}

async function read(stream: ByteStream): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Pseudo-random bytes in chunks of an odd size; never in memory as a whole. */
async function* generated(size: number, chunkSize: number): ByteStream {
  const chunk = randomOf(chunkSize);
  for (let at = 0; at < size; at += chunkSize) yield chunk.subarray(0, Math.min(chunkSize, size - at));
}

function randomOf(size: number): Buffer {
  return createHash('shake256', { outputLength: size }).update('tsbuild').digest();
}

test('blobs go to a bucket once, and come back', withServer, async () => {
  const cache = medium(await attributes());
  for (const size of [
    0,
    1,
    1000,
    8 * mebibyte - 1,
    8 * mebibyte,
    8 * mebibyte + 1,
    16 * mebibyte,
    21_000_001,
  ]) {
    const bytes = randomOf(size);
    const blob = blobOf(bytes);
    const transfers: Transfer[] = [];
    const put = () =>
      cache.put(blob, () => chunk(bytes), {
        signal,
        onTransfer: (transfer) => void transfers.push(transfer),
      });
    assert.equal(await put(), 'uploaded', `${size}`);
    assert.deepEqual(transfers.at(-1), { item: blob.digest, action: 'done', current: size, total: size });
    assert.equal(await put(), 'exists', `${size}`);
    assert.ok((await read(await cache.open(blob, { signal }))).equals(bytes), `${size}`);
  }
});

test('a document is not there, is there, and is replaced whole', withServer, async () => {
  const given = await attributes();
  const cache = medium({ ...given, name: 'main;release', prefix: 'team/' });
  assert.equal(await cache.load(signal), undefined);
  const document: CacheDocument = {
    config: Buffer.from('{"layers":[{"blob":"sha256:00","parent":-1}],"records":[{"digest":"sha256:11"}]}'),
    blobs: [{ ...blobOf(Buffer.from('x')), annotations: { 'containerd.io/uncompressed': 'sha256:22' } }],
    annotations: { 'dev.example': 'ü' },
  };
  await cache.publish(document, { signal });
  assert.deepEqual(await cache.load(signal), document);
  assert.deepEqual(await medium({ ...given, name: 'release', prefix: 'team/' }).load(signal), document);
  assert.equal(await medium({ ...given, name: 'main' }).load(signal), undefined);
  await cache.publish({ ...document, annotations: {} }, { signal });
  assert.deepEqual(await cache.load(signal), { ...document, annotations: {} });
});

test('the layout in the bucket is that of BuildKit', withServer, async () => {
  const given = await attributes();
  const bytes = Buffer.from('layer');
  const blob = {
    ...blobOf(bytes),
    annotations: {
      'containerd.io/uncompressed': `sha256:${'2'.repeat(64)}`,
      'buildkit/createdat': '2026-01-02T03:04:05.6Z',
    },
  };
  const cache = medium({ ...given, prefix: 'p/', blobs_prefix: 'b/', manifests_prefix: 'm/', name: 'n' });
  await cache.put(blob, () => chunk(bytes), { signal });
  const config = { layers: [{ blob: blob.digest, parent: -1 }], records: [] };
  await cache.publish(
    { config: Buffer.from(JSON.stringify(config)), blobs: [blob], annotations: {} },
    { signal },
  );

  const bucket = openBucket({ ...options(given), insecureRegistries: [] });
  const object = async (key: string) => {
    const answer = await bucket.get(key, 0, signal);
    return answer && (await read(answer.body as ByteStream)).toString('utf8');
  };
  assert.equal(await object(`p/b/${blob.digest}`), 'layer');
  const { tsbuild, ...buildkit } = JSON.parse((await object('p/m/n')) ?? '');
  assert.deepEqual(buildkit, {
    layers: [
      {
        blob: blob.digest,
        parent: -1,
        annotations: {
          mediaType: blob.mediaType,
          diffID: `sha256:${'2'.repeat(64)}`,
          size: 5,
          createdAt: '2026-01-02T03:04:05.6Z',
        },
      },
    ],
    records: [],
  });
  assert.deepEqual(tsbuild, { blobs: [blob], annotations: {} });
});

test('a blob of another size is written again; an old one is touched', withServer, async () => {
  const given = await attributes();
  const bytes = randomOf(13 * mebibyte);
  const blob = blobOf(bytes);
  const bucket = openBucket({ ...options(given), insecureRegistries: [] });
  const key = `blobs/${blob.digest}`;
  await bucket.put(key, bytes.subarray(0, 100), signal);
  const put = (more: Record<string, string>, copyLimit?: number) =>
    s3Medium({ ...options({ ...given, ...more }), ...(copyLimit ? { copyLimit } : {}) }).put(
      blob,
      () => chunk(bytes),
      { signal },
    );
  assert.equal(await put({}), 'uploaded');
  const written = (await bucket.head(key, signal))?.modifiedMs ?? 0;
  await new Promise((resolve) => setTimeout(resolve, 1100));
  assert.equal(await put({}), 'exists');
  assert.equal((await bucket.head(key, signal))?.modifiedMs, written, 'younger than touch_refresh');
  assert.equal(await put({ touch_refresh: '0' }), 'exists');
  const touched = (await bucket.head(key, signal))?.modifiedMs ?? 0;
  assert.ok(touched > written, 'touched');
  await new Promise((resolve) => setTimeout(resolve, 1100));
  assert.equal(await put({ touch_refresh: '0' }, 6 * mebibyte), 'exists');
  assert.ok(((await bucket.head(key, signal))?.modifiedMs ?? 0) > touched, 'touched in parts');
  assert.ok((await read(await medium(given).open(blob, { signal }))).equals(bytes));
});

test('an upload that is aborted, or whose bytes fail, leaves nothing', withServer, async () => {
  const given = await attributes();
  const size = 24 * mebibyte;
  const blob = { mediaType: 'x', digest: `sha256:${'a'.repeat(64)}` as Digest, size };
  const abort = new AbortController();
  async function* aborting(): ByteStream {
    for await (const chunk of generated(size / 2, 99_991)) yield chunk;
    abort.abort(new Error('enough'));
    for await (const chunk of generated(size / 2, 99_991)) yield chunk;
  }
  async function* failing(): ByteStream {
    for await (const chunk of generated(size / 2, 99_991)) yield chunk;
    throw new TsbuildError('TSB_INTEGRITY_DIGEST', 'the blob is damaged');
  }
  const put = (open: () => ByteStream, by = signal) => medium(given).put(blob, open, { signal: by });
  await assert.rejects(put(aborting, abort.signal), { message: 'enough' });
  await assert.rejects(put(failing), { code: 'TSB_INTEGRITY_DIGEST' });
  await assert.rejects(
    put(() => generated(size - 1, 99_991)),
    { code: 'TSB_INTEGRITY_SIZE' },
  );
  await assert.rejects(
    put(() => generated(size + 1, 99_991)),
    { code: 'TSB_INTEGRITY_SIZE' },
  );
  const bucket = openBucket({ ...options(given), insecureRegistries: [] });
  assert.equal(await bucket.head(`blobs/${blob.digest}`, signal), undefined);
  const uploads = await client(given).send(
    new ListMultipartUploadsCommand({ Bucket: given['bucket'] ?? '' }),
  );
  assert.deepEqual(uploads.Uploads ?? [], []);
});

test('a large blob is never in memory as a whole', withServer, async () => {
  const given = await attributes();
  const size = 160 * mebibyte;
  const blob = { mediaType: 'x', digest: `sha256:${'b'.repeat(64)}` as Digest, size };
  const before = process.memoryUsage().rss;
  let most = 0;
  const watch = setInterval(() => {
    most = Math.max(most, process.memoryUsage().rss);
  }, 20);
  try {
    await medium(given).put(blob, () => generated(size, 65_536), { signal });
    let got = 0;
    for await (const chunk of await medium(given).open(blob, { signal })) got += chunk.length;
    assert.equal(got, size);
  } finally {
    clearInterval(watch);
  }
  assert.ok(most - before < 120 * mebibyte, `${Math.round((most - before) / mebibyte)} MiB`);
});

test('refusals are told from failures, and hold no key', withServer, async () => {
  const given = await attributes();
  const cases: [Record<string, string>, string, RegExp][] = [
    [{ secret_access_key: 'wrong-secret' }, 'TSB_AUTH_S3', /403/],
    [{ access_key_id: 'nobody:here' }, 'TSB_AUTH_S3', /403/],
    [{ bucket: 'no-such-bucket' }, 'TSB_REGISTRY_S3', /NoSuchBucket/],
  ];
  for (const [change, code, text] of cases) {
    const cache = medium({ ...given, ...change });
    for (const work of [
      () => cache.load(signal),
      () => cache.publish({ config: Buffer.from('{}'), blobs: [], annotations: {} }, { signal }),
    ]) {
      await assert.rejects(work(), (error: TsbuildError) => {
        assert.equal(error.code, code);
        assert.match(error.message, text);
        const all = JSON.stringify([error.message, error.hint, cache.name, error.cause ?? '', error.stack]);
        for (const key of ['secret_access_key', 'session_token'])
          assert.ok(!all.includes({ ...given, ...change }[key] ?? '\0'), `${key} in ${all}`);
        return true;
      });
    }
  }
  const gone = blobOf(Buffer.from('never written'));
  await assert.rejects(async () => await read(await medium(given).open(gone, { signal })), {
    code: 'TSB_RESOLVE_NOT_FOUND',
  });
});

/** A server that gives the same answer to everything. */
async function serve(t: TestContext, answer: RequestListener): Promise<string> {
  const http = createServer(answer).listen(0, '127.0.0.1');
  await once(http, 'listening');
  t.after(() => {
    http.closeAllConnections();
    http.close();
  });
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
}

const invented = { bucket: 'b', access_key_id: 'a', secret_access_key: 'hush-hush', use_path_style: '1' };

test('servers that fail are errors that say how', async (t) => {
  const xml = (code: string) =>
    `<?xml version="1.0"?><Error><Code>${code}</Code><Message>Too bad</Message></Error>`;
  const cases: [string, RequestListener, string, RegExp][] = [
    [
      'internal error',
      (_, r) => void r.writeHead(500).end(xml('InternalError')),
      'TSB_REGISTRY_S3',
      /500.*Too bad/,
    ],
    [
      'busy',
      (_, r) => void r.writeHead(503).end(xml('SlowDown')),
      'TSB_REGISTRY_S3',
      /503 SlowDown: Too bad/,
    ],
    ['a page', (_, r) => void r.writeHead(502).end('<html>Bad gateway'), 'TSB_REGISTRY_S3', /502/],
    [
      'not S3 at all',
      (_, r) => void r.writeHead(200).end('Welcome!'),
      'TSB_INTEGRITY_CACHE_DOCUMENT',
      /type=s3/,
    ],
    ['nothing', (_, r) => void r.writeHead(200).end(), 'TSB_INTEGRITY_CACHE_DOCUMENT', /type=s3/],
    ['an array', (_, r) => void r.writeHead(200).end('[]'), 'TSB_INTEGRITY_CACHE_DOCUMENT', /type=s3/],
    [
      'a layer without facts',
      (_, r) => void r.writeHead(200).end('{"layers":[{"blob":"sha256:12"}]}'),
      'TSB_INTEGRITY_CACHE_DOCUMENT',
      /type=s3/,
    ],
    ['reset', (q) => void q.socket.destroy(), 'TSB_REGISTRY_UNREACHABLE', /type=s3,bucket=b/],
    [
      'reset in the middle',
      (q, r) => {
        r.writeHead(200, { 'content-length': '100' }).write('{"layers":');
        setTimeout(() => q.socket.destroy(), 50);
      },
      'TSB_REGISTRY_UNREACHABLE',
      /type=s3,bucket=b/,
    ],
    [
      'denied',
      (_, r) => void r.writeHead(403).end(xml('AccessDenied')),
      'TSB_AUTH_S3',
      /AccessDenied: Too bad/,
    ],
  ];
  for (const [name, answer, code, text] of cases) {
    await t.test(name, async (t) => {
      const cache = medium({ ...invented, endpoint_url: await serve(t, answer) });
      await assert.rejects(cache.load(signal), (error: TsbuildError) => {
        assert.equal(error.code, code, String(error));
        assert.match(error.message, text);
        assert.ok(!String(error.stack).includes('hush-hush'));
        return true;
      });
    });
  }
  await t.test('refused', async () => {
    const cache = medium({ ...invented, endpoint_url: 'http://127.0.0.1:1' });
    await assert.rejects(cache.load(signal), { code: 'TSB_REGISTRY_UNREACHABLE' });
  });
});

test('a blob whose connection breaks is taken up where it broke', async (t) => {
  const bytes = randomOf(100_000);
  const ranges: (string | undefined)[] = [];
  const endpoint_url = await serve(t, (request, response) => {
    const { range } = request.headers;
    ranges.push(range);
    const from = Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0);
    response.writeHead(from === 0 ? 200 : 206, {
      'content-length': String(bytes.length - from),
      ...(from === 0 ? {} : { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` }),
    });
    const to = Math.min(bytes.length, from + 40_000);
    response.write(bytes.subarray(from, to));
    if (to === bytes.length) response.end();
    else setTimeout(() => request.socket.destroy(), 50);
  });
  const cache = medium({ ...invented, endpoint_url });
  assert.ok((await read(await cache.open(blobOf(bytes), { signal }))).equals(bytes));
  assert.deepEqual(ranges, [undefined, 'bytes=40000-', 'bytes=80000-']);
});

test('a stalled server is given up, and an abort at once', async (t) => {
  const cache = medium({ ...invented, endpoint_url: await serve(t, () => undefined) });
  const started = Date.now();
  await assert.rejects(cache.load(AbortSignal.timeout(200)), { name: 'TimeoutError' });
  assert.ok(Date.now() - started < 5000);
});
