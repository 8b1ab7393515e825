import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { mediaTypes, sha256, type Descriptor, type TsbuildError } from '@tsbuild/core';
import type { RemoteRepository } from '../src/api.js';
import { createMemoryContentStore } from '../src/content/memory.js';
import { pullImage } from '../src/image/pull.js';
import { pushImage } from '../src/image/push.js';
import type { RegistryClient } from '../src/remote/client.js';
import { testClient } from './support/client.js';
import { startFaultProxy, type Fault, type FaultProxy, type SeenRequest } from './support/fault-proxy.js';
import { gather, makeImage } from './support/images.js';
import { noRegistry, startRegistry, type TestRegistry } from './support/registry.js';

const signal = AbortSignal.timeout(60_000);
const bytes = randomBytes(1_500_000);
const blob: Descriptor = { mediaType: mediaTypes.ociLayer, digest: sha256(bytes), size: bytes.length };
const fresh = () => {
  const own = randomBytes(900_000);
  return { own, descriptor: { mediaType: mediaTypes.ociLayer, digest: sha256(own), size: own.length } };
};
async function* inParts(all: Uint8Array) {
  for (let at = 0; at < all.length; at += 65_536) yield all.subarray(at, at + 65_536);
}

describe('a registry behind a bad line', { skip: noRegistry }, () => {
  let registry: TestRegistry;
  let proxy: FaultProxy;
  let client: RegistryClient;
  let repository: RemoteRepository;

  before(async () => {
    registry = await startRegistry();
    const direct = testClient();
    await (await direct.repository(`${registry.host}/app`)).pushBlob(blob, () => inParts(bytes), { signal });
    await direct.close();
  });
  after(() => registry.stop());
  beforeEach(async () => {
    proxy = await startFaultProxy(registry.host);
    client = testClient({ idleTimeoutMs: 1000 });
    repository = await client.repository(`${proxy.host}/app`);
  });
  afterEach(async () => {
    await client.close();
    await proxy.stop();
  });

  const on = (method: string, part: string, fault: (times: number) => Fault | undefined) => {
    proxy.fault = (request: SeenRequest) =>
      request.method === method && request.url.includes(part) ? fault(request.times) : undefined;
  };
  const count = (method: string, part: string) =>
    proxy.seen.filter((request) => request.method === method && request.url.includes(part)).length;
  const download = async () => gather(await repository.blob(blob, { signal }));

  test('a download goes on where it was cut, by Range', async () => {
    on('GET', '/blobs/', (times) => (times < 7 ? { type: 'cut-answer', after: 200_000 } : undefined));
    assert.ok((await download()).equals(bytes));
    const ranges = proxy.seen
      .filter(({ url }) => url.includes('/blobs/'))
      .map(({ headers }) => headers.range);
    assert.equal(ranges.length, 8, 'seven cuts, though five tries are the limit without progress');
    assert.equal(ranges[0], undefined);
    assert.match(ranges[1] ?? '', /^bytes=\d{5,}-$/);
  });

  test('an answer that ends early without a length is taken up again', async () => {
    on('GET', '/blobs/', (times) => (times === 0 ? { type: 'short', after: 500_000 } : undefined));
    assert.ok((await download()).equals(bytes));
    assert.equal(count('GET', '/blobs/'), 2);
  });

  test('a stalled download is cut after the idle time and goes on', async () => {
    on('GET', '/blobs/', (times) => (times === 0 ? { type: 'stall', after: 300_000 } : undefined));
    assert.ok((await download()).equals(bytes));
  });

  test('a download that never moves fails after its tries', async () => {
    on('GET', '/blobs/', () => ({ type: 'cut-answer', after: 0 }));
    await assert.rejects(download(), { code: 'TSB_REGISTRY_UNREACHABLE' });
    assert.equal(count('GET', '/blobs/'), 5);
  });

  test('wrong bytes are an integrity error and are not asked for again', async () => {
    on('GET', '/blobs/', () => ({ type: 'corrupt' }));
    await assert.rejects(download(), { code: 'TSB_INTEGRITY_DIGEST' });
    assert.equal(count('GET', '/blobs/'), 1);
  });

  test('a blob of another size is refused before it is read', async () => {
    await assert.rejects(gather(await repository.blob({ ...blob, size: 10 }, { signal })), {
      code: 'TSB_INTEGRITY_SIZE',
    });
  });

  test('429 with Retry-After is waited for, 503 tried again', async () => {
    on(
      'GET',
      '/blobs/',
      (times) =>
        [
          { type: 'answer', status: 429, headers: { 'retry-after': '1' } } as const,
          { type: 'answer', status: 503 } as const,
        ][times],
    );
    const start = Date.now();
    assert.ok((await download()).equals(bytes));
    assert.ok(Date.now() - start >= 1000);
  });

  test('429 that stays is a rate limit, said with who we are', async () => {
    on('GET', '/manifests/', () => ({
      type: 'answer',
      status: 429,
      body: '{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}',
    }));
    on('HEAD', '/manifests/', () => ({ type: 'answer', status: 429 }));
    await assert.rejects(repository.resolve('x', { signal }), (error: TsbuildError) => {
      assert.equal(error.code, 'TSB_REGISTRY_RATE_LIMITED');
      assert.equal(error.retryable, true);
      assert.match(error.message, /too many requests \(429 from 127.0.0.1:\d+, anonymous\)/);
      return true;
    });
    assert.equal(count('HEAD', '/manifests/'), 5);
  });

  for (const after of [1, 400_000, 899_000]) {
    test(`an upload cut after ${after} bytes is started anew`, async () => {
      const { own, descriptor } = fresh();
      on('PATCH', '/uploads/', () =>
        count('PATCH', '/uploads/') === 1 ? { type: 'cut-request', after } : undefined,
      );
      assert.equal(await repository.pushBlob(descriptor, () => inParts(own), { signal }), 'uploaded');
      assert.equal(count('PATCH', '/uploads/'), 2);
      assert.equal(await repository.hasBlob(descriptor.digest, { signal }), true);
    });
  }

  test('after the last reply was lost the blob is looked for, not sent again', async () => {
    const { own, descriptor } = fresh();
    on('PUT', '/uploads/', () => ({ type: 'lose-answer' }));
    assert.equal(await repository.pushBlob(descriptor, () => inParts(own), { signal }), 'uploaded');
    assert.equal(count('PATCH', '/uploads/'), 1);
    assert.equal(count('HEAD', '/blobs/'), 2);
  });

  test('a lost reply to the opening of an upload opens another', async () => {
    const { own, descriptor } = fresh();
    on('POST', '/uploads/', (times) => (times === 0 ? { type: 'lose-answer' } : undefined));
    assert.equal(await repository.pushBlob(descriptor, () => inParts(own), { signal }), 'uploaded');
  });

  test('413 in the middle of an upload is final and says what to raise', async () => {
    const { own, descriptor } = fresh();
    on('PATCH', '/uploads/', () => ({
      type: 'answer',
      status: 413,
      headers: { connection: 'close' },
      body: '<h1>413 Request Entity Too Large</h1>',
    }));
    await assert.rejects(
      repository.pushBlob(descriptor, () => inParts(own), { signal }),
      (error: TsbuildError) => {
        assert.equal(error.code, 'TSB_REGISTRY_STATUS');
        assert.equal(error.retryable, false);
        assert.match(
          error.message,
          /unexpected status 413 from 127.0.0.1:\d+: 413 Request Entity Too Large$/,
        );
        assert.match(error.hint ?? '', /client_max_body_size/);
        return true;
      },
    );
    assert.equal(count('PATCH', '/uploads/'), 1);
  });

  test('502 on a large upload is tried again', async () => {
    const { own, descriptor } = fresh();
    on('PATCH', '/uploads/', () =>
      count('PATCH', '/uploads/') === 1 ? { type: 'answer', status: 502 } : undefined,
    );
    assert.equal(await repository.pushBlob(descriptor, () => inParts(own), { signal }), 'uploaded');
  });

  for (const status of [401, 403, 404, 405, 500]) {
    test(`a mount refused with ${status} becomes an upload`, async () => {
      const { own, descriptor } = fresh();
      proxy.fault = ({ method, url }) =>
        method === 'POST' && url.includes('mount=') ? { type: 'answer', status } : undefined;
      assert.equal(
        await repository.pushBlob(descriptor, () => inParts(own), { signal, mountFrom: ['other/app'] }),
        'uploaded',
      );
    });
  }

  test('a fault of our own source is not taken for the network’s', async () => {
    const { own, descriptor } = fresh();
    async function* broken() {
      yield own.subarray(0, 100_000);
      throw new Error('the disk is gone');
    }
    await assert.rejects(repository.pushBlob(descriptor, broken, { signal }), /the disk is gone/);
    assert.equal(count('POST', '/uploads/'), 1);
    await assert.rejects(
      repository.pushBlob(descriptor, () => inParts(own.subarray(1)), { signal }),
      { code: 'TSB_INTEGRITY_SIZE' },
    );
  });

  test('a manifest whose bytes were changed is refused', async () => {
    const store = createMemoryContentStore();
    const image = await makeImage(store, { sizes: [100] });
    await pushImage(repository, 'x', image.descriptor, store, { signal });
    on('GET', '/manifests/', () => ({ type: 'corrupt' }));
    await assert.rejects(repository.manifest('x', { signal }), { code: 'TSB_INTEGRITY_DIGEST' });
    await assert.rejects(repository.manifest(image.descriptor.digest, { signal }), {
      code: 'TSB_INTEGRITY_DIGEST',
    });
  });

  test('a manifest of five mebibytes is not read to its end', async () => {
    on('GET', '/manifests/', () => ({ type: 'answer', status: 200, body: ' '.repeat(5 << 20) }));
    await assert.rejects(repository.manifest('x', { signal }), { code: 'TSB_INTEGRITY_SIZE' });
  });

  test('one layer that fails stops the others, and the store keeps nothing half', async () => {
    const store = createMemoryContentStore();
    const image = await makeImage(store, { sizes: [400_000, 400_000, 400_000] });
    await pushImage(repository, 'bad', image.descriptor, store, { signal });
    const bad = image.layers[1] as Descriptor;
    proxy.fault = ({ url }) => (url.includes(bad.digest) ? { type: 'corrupt' } : undefined);
    const other = createMemoryContentStore();
    const platform = { os: 'linux', architecture: 'amd64' };
    await assert.rejects(pullImage(repository, 'bad', other, { signal, name: 'app:bad', platform }), {
      code: 'TSB_INTEGRITY_DIGEST',
    });
    assert.equal(await other.has(bad.digest), undefined);
  });

  test('an abort ends an upload at once', async () => {
    const { own, descriptor } = fresh();
    const stop = new AbortController();
    async function* slow() {
      yield own.subarray(0, 1000);
      stop.abort(new Error('enough'));
      yield own.subarray(1000);
    }
    await assert.rejects(repository.pushBlob(descriptor, slow, { signal: stop.signal }), /enough/);
  });
});
