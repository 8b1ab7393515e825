import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { sha256, type TsbuildError, type Descriptor } from '@tsbuild/core';
import type { Transfer } from '../src/api.js';
import { createMemoryContentStore } from '../src/content/memory.js';
import { validateImage } from '../src/content/validate.js';
import { collectBlobs } from '../src/image/blobs.js';
import { createBlobFetcher, pullImage, pullLayers, resolveManifest } from '../src/image/pull.js';
import { pushImage } from '../src/image/push.js';
import { startRegistry, noRegistry, noSkopeo, user, type TestRegistry } from './support/registry.js';
import { testClient } from './support/client.js';
import { makeImage, makeIndex } from './support/images.js';
import { startTokenServer, type TokenServer } from './support/token-server.js';

const signal = AbortSignal.timeout(60_000);
const amd64 = { os: 'linux', architecture: 'amd64' };

describe('an open registry', { skip: noRegistry }, () => {
  let registry: TestRegistry;
  before(async () => {
    registry = await startRegistry();
  });
  after(() => registry.stop());

  test('what is pushed is what is pulled, and what skopeo sees', async () => {
    const client = testClient();
    try {
      const store = createMemoryContentStore();
      const image = await makeImage(store);
      const repository = await client.repository(`${registry.host}/team/app`);
      const pushed = await pushImage(repository, '1.0', image.descriptor, store, { signal });
      assert.deepEqual(pushed, image.descriptor);

      const other = createMemoryContentStore();
      const name = `${registry.host}/team/app:1.0`;
      const resolved = await resolveManifest(repository, '1.0', other, { signal, name, platform: amd64 });
      assert.equal(resolved.descriptor.digest, image.descriptor.digest);
      assert.deepEqual(resolved.config.config?.Cmd, ['/file-0']);
      assert.equal(
        await other.has(image.layers[0]!.digest),
        undefined,
        'layers wait until they are asked for',
      );
      await pullLayers(repository, resolved, createBlobFetcher(other), { signal });
      assert.deepEqual(await validateImage(other, resolved.descriptor, signal), []);

      if (noSkopeo === false) {
        const seen = spawnSync('skopeo', ['inspect', '--tls-verify=false', `docker://${name}`], {
          encoding: 'utf8',
        });
        assert.equal(seen.status, 0, seen.stderr);
        assert.equal(JSON.parse(seen.stdout).Digest, image.descriptor.digest);
      }
    } finally {
      await client.close();
    }
  });

  test('a second push sends nothing, a push to a neighbour mounts', async () => {
    const client = testClient();
    try {
      const store = createMemoryContentStore();
      const image = await makeImage(store);
      const actions = async (name: string, mountFrom: string[] = []) => {
        const seen: Transfer['action'][] = [];
        const repository = await client.repository(`${registry.host}/${name}`);
        await pushImage(repository, 'latest', image.descriptor, store, {
          signal,
          mountFrom: () => mountFrom,
          onTransfer: ({ action }) => seen.push(action),
        });
        return new Set(seen);
      };
      assert.deepEqual(await actions('one/app'), new Set(['uploading', 'done']));
      assert.deepEqual(await actions('one/app'), new Set(['exists']));
      assert.deepEqual(await actions('two/app', ['nothing/here', 'one/app']), new Set(['exists']));
      const repository = await client.repository(`${registry.host}/three/app`);
      const layer = image.layers[0] as Descriptor;
      const open = () => store.open(layer);
      assert.equal(await repository.pushBlob(layer, open, { signal, mountFrom: ['one/app'] }), 'mounted');
      assert.equal(await repository.pushBlob(layer, open, { signal }), 'exists');
      assert.equal(await repository.hasBlob(layer.digest, { signal }), true);
      assert.equal(await repository.hasBlob(sha256('not there'), { signal }), false);
    } finally {
      await client.close();
    }
  });

  test('an index is pushed whole, pulled whole, and pulled by platform', async () => {
    const client = testClient();
    try {
      const store = createMemoryContentStore();
      const arm = { os: 'linux', architecture: 'arm', variant: 'v6' };
      const { descriptor, images } = await makeIndex(store, [amd64, arm]);
      const repository = await client.repository(`${registry.host}/multi`);
      await pushImage(repository, 'all', descriptor, store, { signal });

      const whole = createMemoryContentStore();
      const root = await pullImage(repository, 'all', whole, { signal, name: 'multi:all' });
      assert.deepEqual(root, descriptor);
      assert.equal((await collectBlobs(whole, [root])).length, 7);
      assert.deepEqual(await validateImage(whole, root, signal), []);

      const part = createMemoryContentStore();
      const platform = { os: 'linux', architecture: 'arm', variant: 'v7' };
      const chosen = await pullImage(repository, 'all', part, { signal, name: 'multi:all', platform });
      assert.equal(chosen.digest, images[1]!.descriptor.digest);
      assert.equal(await part.has(images[0]!.descriptor.digest), undefined);

      await assert.rejects(
        resolveManifest(repository, 'all', part, {
          signal,
          name: 'multi:all',
          platform: { os: 'linux', architecture: 's390x' },
        }),
        (error: TsbuildError) => {
          assert.equal(error.code, 'TSB_RESOLVE_NO_PLATFORM');
          assert.equal(error.message, 'multi:all has no image for platform linux/s390x');
          assert.equal(error.hint, 'It has: linux/amd64, linux/arm/v6. Choose one with --platform.');
          return true;
        },
      );
    } finally {
      await client.close();
    }
  });

  test('a tag or repository that is not there is said to be not found, with host and status', async () => {
    const client = testClient();
    try {
      const repository = await client.repository(`${registry.host}/none`);
      await assert.rejects(repository.manifest('1', { signal }), {
        code: 'TSB_RESOLVE_NOT_FOUND',
        message: `failed to pull ${registry.host}/none:1: not found (404 from ${registry.host}): MANIFEST_UNKNOWN: manifest unknown`,
      });
    } finally {
      await client.close();
    }
  });

  test('nothing listens there: the error says so', async () => {
    const client = testClient();
    try {
      const repository = await client.repository('127.0.0.1:1/app');
      await assert.rejects(repository.manifest('1', { signal }), (error: TsbuildError) => {
        assert.equal(error.code, 'TSB_REGISTRY_UNREACHABLE');
        assert.match(error.message, /ECONNREFUSED/);
        assert.match(error.hint ?? '', /Nothing listens there/);
        return true;
      });
    } finally {
      await client.close();
    }
  });

  test('an abort ends a pull at once with its reason', async () => {
    const client = testClient();
    try {
      const repository = await client.repository(`${registry.host}/none`);
      const stop = new AbortController();
      const running = repository.manifest('1', { signal: stop.signal });
      stop.abort(new Error('enough'));
      await assert.rejects(running, /enough/);
    } finally {
      await client.close();
    }
  });
});

describe('a registry with basic authentication', { skip: noRegistry }, () => {
  let registry: TestRegistry;
  before(async () => {
    registry = await startRegistry({ basic: true });
  });
  after(() => registry.stop());

  test('lets a known user in, and tells anonymous and wrong ones how to log in', async () => {
    const store = createMemoryContentStore();
    const image = await makeImage(store, { sizes: [100] });
    const name = `${registry.host}/private/app`;
    const push = async (credential?: { username: string; password: string }) => {
      const client = testClient({
        credentials: { find: async () => (credential === undefined ? {} : { credential }) },
      });
      try {
        return await pushImage(await client.repository(name), 'x', image.descriptor, store, { signal });
      } finally {
        await client.close();
      }
    };
    assert.equal((await push(user)).digest, image.descriptor.digest);
    await assert.rejects(push(), (error: TsbuildError) => {
      assert.equal(error.code, 'TSB_AUTH_DENIED');
      assert.match(error.message, /failed to push .*access denied \(401 from 127.0.0.1:\d+, anonymous\)/);
      assert.match(error.hint ?? '', new RegExp(`Log in with \`tsbuild login ${registry.host}\``));
      return true;
    });
    await assert.rejects(push({ ...user, password: 'wrong' }), (error: TsbuildError) => {
      assert.equal(error.code, 'TSB_AUTH_DENIED');
      assert.match(error.message, /as user jane/);
      assert.doesNotMatch(error.message, /wrong/);
      return true;
    });
  });

  test('login checks the password', async () => {
    const client = testClient();
    try {
      assert.deepEqual(await client.login(registry.host, user, signal), user);
      await assert.rejects(client.login(registry.host, { ...user, password: 'wrong' }, signal), {
        code: 'TSB_AUTH_DENIED',
      });
    } finally {
      await client.close();
    }
  });
});

describe('a registry with a token server', { skip: noRegistry }, () => {
  let registry: TestRegistry;
  let tokens: TokenServer;
  before(async () => {
    tokens = await startTokenServer({ jane: 'pw' });
    registry = await startRegistry({ tokens });
  });
  after(async () => {
    await registry.stop();
    await tokens.stop();
  });

  const jane = { find: async () => ({ credential: { username: 'jane', password: 'pw' } }) };

  test('a push asks once for the token of its scope', async () => {
    const client = testClient({ credentials: jane });
    try {
      const store = createMemoryContentStore();
      const image = await makeImage(store, { sizes: [100, 200, 300, 400] });
      tokens.requests.length = 0;
      await pushImage(await client.repository(`${registry.host}/team/app`), 'x', image.descriptor, store, {
        signal,
      });
      assert.deepEqual(tokens.requests, [
        { method: 'GET', scopes: ['repository:team/app:pull,push'], user: 'jane', grant: undefined },
      ]);
      const other = createMemoryContentStore();
      await pullImage(await client.repository(`${registry.host}/team/app`), 'x', other, {
        signal,
        name: 'app',
        platform: amd64,
      });
      assert.deepEqual(
        tokens.requests.slice(1).map(({ scopes }) => scopes),
        [['repository:team/app:pull']],
      );
    } finally {
      await client.close();
    }
  });

  test('a token that runs out in the middle is renewed', async () => {
    const client = testClient({ credentials: jane });
    try {
      const store = createMemoryContentStore();
      const image = await makeImage(store, { sizes: [100] });
      const repository = await client.repository(`${registry.host}/team/renew`);
      // The registry allows for clocks that are a minute off: this token is past that as well.
      tokens.lifetimeSeconds = -100;
      const first = repository.hasBlob(image.layers[0]!.digest, { signal });
      await assert.rejects(first, { code: 'TSB_AUTH_DENIED' });
      tokens.lifetimeSeconds = 300;
      await pushImage(repository, 'x', image.descriptor, store, { signal });
    } finally {
      tokens.lifetimeSeconds = 300;
      await client.close();
    }
  });

  test('a mount whose wider scope is refused becomes an upload', async () => {
    const client = testClient({ credentials: jane });
    try {
      const store = createMemoryContentStore();
      const image = await makeImage(store, { sizes: [100] });
      tokens.refuse = (scope) => scope.startsWith('repository:forbidden/');
      const repository = await client.repository(`${registry.host}/team/mount`);
      const layer = image.layers[0] as Descriptor;
      assert.equal(
        await repository.pushBlob(layer, () => store.open(layer), { signal, mountFrom: ['forbidden/app'] }),
        'uploaded',
      );
    } finally {
      tokens.refuse = () => false;
      await client.close();
    }
  });

  test('anonymous may pull, and pushing is denied with the way to log in', async () => {
    const client = testClient();
    try {
      const store = createMemoryContentStore();
      const repository = await client.repository(`${registry.host}/team/app`);
      await pullImage(repository, 'x', store, { signal, name: 'app', platform: amd64 });
      const image = await makeImage(store, { sizes: [100] });
      await assert.rejects(pushImage(repository, 'y', image.descriptor, store, { signal }), {
        code: 'TSB_AUTH_DENIED',
      });
    } finally {
      await client.close();
    }
  });

  test('login keeps a refresh token instead of the password, and it works', async () => {
    const client = testClient();
    const kept = await client.login(registry.host, { username: 'jane', password: 'pw' }, signal);
    assert.deepEqual(kept, { identityToken: 'refresh-jane', username: 'jane' });
    await assert.rejects(
      client.login(registry.host, { username: 'jane', password: 'no' }, signal),
      (error: TsbuildError) => {
        assert.equal(error.code, 'TSB_AUTH_DENIED');
        assert.match(error.message, /incorrect username or password/);
        return true;
      },
    );
    await client.close();

    const again = testClient({ credentials: { find: async () => ({ credential: kept }) } });
    try {
      tokens.requests.length = 0;
      const repository = await again.repository(`${registry.host}/team/app`);
      await repository.manifest('x', { signal });
      assert.deepEqual(
        tokens.requests.map(({ method, grant }) => [method, grant]),
        [['POST', 'refresh_token']],
      );
    } finally {
      await again.close();
    }
  });
});
