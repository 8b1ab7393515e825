import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { TsbuildError } from '@tsbuild/core';
import { createMemoryContentStore } from '../src/content/memory.js';
import { pullImage } from '../src/image/pull.js';
import { pushImage } from '../src/image/push.js';
import type { RegistryClient } from '../src/remote/client.js';
import { makeCertificate } from './support/certificates.js';
import { testClient } from './support/client.js';
import { type FaultProxy, startFaultProxy } from './support/fault-proxy.js';
import { type MadeImage, makeImage } from './support/images.js';
import { noRegistry, startRegistry, type TestRegistry } from './support/registry.js';

const signal = AbortSignal.timeout(60_000);
const platform = { os: 'linux', architecture: 'amd64' };

describe('images of a registry that has a mirror', { skip: noRegistry }, () => {
  let folder: string;
  let primary: TestRegistry;
  let mirror: TestRegistry;
  let toPrimary: FaultProxy;
  let toMirror: FaultProxy;
  let both: MadeImage;
  let onlyPrimary: MadeImage;
  const store = createMemoryContentStore();

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tsbuild-mirrors-'));
    [primary, mirror] = await Promise.all([startRegistry(), startRegistry()]);
    [toPrimary, toMirror] = await Promise.all([startFaultProxy(primary.host), startFaultProxy(mirror.host)]);
    [both, onlyPrimary] = [await makeImage(store), await makeImage(store)];
    const client = testClient();
    const push = async (name: string, image: MadeImage) =>
      pushImage(await client.repository(name), 'x', image.descriptor, store, { signal });
    await push(`${mirror.host}/copy/app`, both);
    await push(`${primary.host}/real/app`, both);
    await push(`${primary.host}/real/own`, onlyPrimary);
    await client.close();
  });
  after(async () => {
    for (const one of [toPrimary, toMirror, primary, mirror]) await one.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const withConf = async <T>(extra: string, work: (client: RegistryClient) => Promise<T>): Promise<T> => {
    const path = join(folder, 'registries.conf');
    await writeFile(
      path,
      `[[registry]]
prefix = "images.example"
location = "${toPrimary.host}/real"
[[registry.mirror]]
location = "${toMirror.host}/copy"
${extra}
`,
    );
    for (const proxy of [toPrimary, toMirror]) {
      proxy.seen.length = 0;
      proxy.fault = () => undefined;
    }
    const client = testClient({ registriesConf: path });
    try {
      return await work(client);
    } finally {
      await client.close();
    }
  };
  const pull = async (client: RegistryClient, name: string) =>
    pullImage(await client.repository(`images.example/${name}`), 'x', createMemoryContentStore(), {
      signal,
      name,
      platform,
    });
  const asked = (proxy: FaultProxy) => proxy.seen.filter(({ url }) => url !== '/v2/').length;

  test('the mirror serves what it has, alone', async () => {
    await withConf('', async (client) => {
      assert.equal((await pull(client, 'app')).digest, both.descriptor.digest);
      assert.equal(asked(toPrimary), 0);
      assert.ok(toMirror.seen.every(({ url }) => url === '/v2/' || url.startsWith('/v2/copy/app/')));
    });
  });

  test('what the mirror lacks comes from the registry', async () => {
    await withConf('', async (client) => {
      assert.equal((await pull(client, 'own')).digest, onlyPrimary.descriptor.digest);
      assert.ok(asked(toMirror) > 0);
    });
  });

  test('a layer that the mirror lost or denies comes from the registry', async () => {
    for (const fault of [
      { type: 'answer', status: 404 } as const,
      { type: 'answer', status: 403 } as const,
    ]) {
      await withConf('', async (client) => {
        toMirror.fault = ({ url }) => (url.includes(both.layers[1]!.digest) ? fault : undefined);
        assert.equal((await pull(client, 'app')).digest, both.descriptor.digest);
        assert.equal(asked(toPrimary), 1);
      });
    }
  });

  test('a mirror for digests is not asked for tags', async () => {
    await withConf('pull-from-mirror = "digest-only"', async (client) => {
      assert.equal((await pull(client, 'app')).digest, both.descriptor.digest);
      assert.ok(toMirror.seen.every(({ url }) => !url.endsWith('/x')));
      assert.deepEqual(
        toPrimary.seen.filter(({ url }) => url !== '/v2/').map(({ method, url }) => `${method} ${url}`),
        ['HEAD /v2/real/app/manifests/x'],
      );
    });
  });

  test('where all fail the registry’s own answer is told, and the mirror’s after it', async () => {
    await withConf('', async (client) => {
      await assert.rejects(pull(client, 'none'), (error: TsbuildError) => {
        assert.equal(error.code, 'TSB_RESOLVE_NOT_FOUND');
        assert.match(
          error.message,
          new RegExp(`not found \\(404 from ${toPrimary.host}\\).*\\(mirrors: .*404 from ${toMirror.host}`),
        );
        return true;
      });
    });
  });

  test('a mirror that is down is passed over', async () => {
    await withConf(
      `[[registry]]\nprefix = "down.example"\nlocation = "${toPrimary.host}/real"\n[[registry.mirror]]\nlocation = "127.0.0.1:1"`,
      async (client) => {
        const repository = await client.repository('down.example/app');
        assert.equal((await repository.resolve('x', { signal })).digest, both.descriptor.digest);
      },
    );
  });
});

describe('a registry that speaks TLS', { skip: noRegistry }, () => {
  test('is used by https on loopback too, without its authority being known there', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tsbuild-tls-'));
    const { certificate, key } = makeCertificate('registry');
    await writeFile(join(folder, 'cert.pem'), certificate);
    await writeFile(join(folder, 'key.pem'), key);
    const registry = await startRegistry({
      tls: { certificate: join(folder, 'cert.pem'), key: join(folder, 'key.pem') },
    });
    const client = testClient();
    try {
      const store = createMemoryContentStore();
      const image = await makeImage(store, { sizes: [100_000] });
      const repository = await client.repository(`${registry.host}/app`);
      await pushImage(repository, 'x', image.descriptor, store, { signal });
      assert.equal((await repository.resolve('x', { signal })).digest, image.descriptor.digest);
    } finally {
      await client.close();
      await registry.stop();
      await rm(folder, { recursive: true, force: true });
    }
  });
});
