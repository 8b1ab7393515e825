import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { parseChallenges } from '../src/auth/challenge.js';
import { eraseCredential, storeCredential, userCredentials } from '../src/auth/credentials.js';

interface Home {
  home: string;
  env: Record<string, string>;
  write(path: string, value: unknown): Promise<void>;
}

async function inHome(work: (home: Home) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'tsbuild-home-'));
  const bin = join(folder, 'bin');
  await mkdir(bin, { mode: 0o755 });
  try {
    await work({
      home: folder,
      env: { PATH: bin, STORE: join(folder, 'kept') },
      async write(path, value) {
        await mkdir(dirname(join(folder, path)), { recursive: true });
        await writeFile(join(folder, path), typeof value === 'string' ? value : JSON.stringify(value));
      },
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const auth = (user: string, password: string) => ({
  auth: Buffer.from(`${user}:${password}`).toString('base64'),
});

/** A helper that keeps one answer in the file $STORE. */
const helper = `#!/bin/sh
IFS= read -r line
case "$1" in
get) if [ -f "$STORE" ]; then while IFS= read -r kept; do echo "$kept"; done <"$STORE"; else echo "credentials not found in native keychain"; exit 1; fi ;;
store) echo "$line" >"$STORE" ;;
erase) : >"$STORE.erased" ; echo '{"Username":"","Secret":""}' >"$STORE" ;;
esac
`;

test('entries of config.json are found by every way they are written', async () => {
  await inHome(async ({ home, env, write }) => {
    await write('.docker/config.json', {
      auths: {
        'https://index.docker.io/v1/': auth('hub', 'p:w'),
        'ghcr.io': auth('gh', 'pw'),
        'https://url.example/v2/': auth('url', 'pw'),
        'token.example': { auth: auth('t', '').auth, identitytoken: 'refresh' },
        'bare.example': { registrytoken: 'as-is' },
        'plain.example': { username: 'plain', password: 'pw' },
        'empty.example': {},
      },
    });
    const source = userCredentials({ env, home });
    const find = async (registry: string) => (await source.find(registry, 'x')).credential;
    assert.deepEqual(await find('docker.io'), { username: 'hub', password: 'p:w' });
    assert.deepEqual(await find('ghcr.io'), { username: 'gh', password: 'pw' });
    assert.deepEqual(await find('url.example'), { username: 'url', password: 'pw' });
    assert.deepEqual(await find('token.example'), { identityToken: 'refresh', username: 't' });
    assert.deepEqual(await find('bare.example'), { registryToken: 'as-is' });
    assert.deepEqual(await find('plain.example'), { username: 'plain', password: 'pw' });
    assert.equal(await find('empty.example'), undefined);
    assert.equal(await find('other.example'), undefined);
  });
});

test('podman’s auth.json comes after docker’s file, and knows parts of a registry', async () => {
  await inHome(async ({ home, env, write }) => {
    await write('.docker/config.json', { auths: { 'a.example': auth('docker', '1') } });
    await write('.config/containers/auth.json', {
      auths: {
        'a.example': auth('podman', '2'),
        'b.example/team': auth('team', '3'),
        'b.example': auth('all', '4'),
      },
    });
    const source = userCredentials({ env, home });
    const find = async (registry: string, repository: string) =>
      (await source.find(registry, repository)).credential?.username;
    assert.equal(await find('a.example', 'x'), 'docker');
    assert.equal(await find('b.example', 'team/app'), 'team');
    assert.equal(await find('b.example', 'teams/app'), 'all');
    const elsewhere = userCredentials({
      home,
      env: {
        ...env,
        DOCKER_CONFIG: join(home, 'none'),
        REGISTRY_AUTH_FILE: join(home, '.config/containers/auth.json'),
      },
    });
    assert.equal((await elsewhere.find('a.example', 'x')).credential?.username, 'podman');
  });
});

test('helpers are asked, one registry’s before the store for all', async () => {
  await inHome(async ({ home, env, write }) => {
    await write('bin/docker-credential-test', helper);
    await chmod(join(home, 'bin/docker-credential-test'), 0o755);
    await write('.docker/config.json', {
      credsStore: 'test',
      credHelpers: { 'special.example': 'missing' },
      auths: { 'special.example': auth('file', 'pw') },
    });
    const options = { env, home };
    assert.deepEqual(await userCredentials(options).find('a.example', 'x'), {});
    assert.equal(
      await storeCredential('a.example', { username: 'jane', password: 'pw' }, options),
      'docker-credential-test',
    );
    assert.deepEqual(JSON.parse(await readFile(join(home, 'kept'), 'utf8')), {
      ServerURL: 'a.example',
      Username: 'jane',
      Secret: 'pw',
    });
    assert.deepEqual(await userCredentials(options).find('a.example', 'x'), {
      credential: { username: 'jane', password: 'pw' },
    });
    await storeCredential('a.example', { identityToken: 'refresh' }, options);
    assert.deepEqual(await userCredentials(options).find('a.example', 'x'), {
      credential: { identityToken: 'refresh' },
    });
    assert.equal(await eraseCredential('a.example', options), true);
    assert.ok(await stat(join(home, 'kept.erased')));
    const special = await userCredentials(options).find('special.example', 'x');
    assert.equal(special.credential?.username, 'file');
    assert.match(special.problem ?? '', /docker-credential-missing: not found/);
  });
});

test('a helper in a folder that others may write to is not run', async () => {
  await inHome(async ({ home, env, write }) => {
    await write('bin/docker-credential-test', helper);
    await chmod(join(home, 'bin/docker-credential-test'), 0o755);
    await write('.docker/config.json', { credsStore: 'test' });
    await write('kept', '{"Username":"jane","Secret":"pw"}\n');
    for (const [path, mode] of [
      ['bin', 0o777],
      ['bin/docker-credential-test', 0o757],
    ] as const) {
      await chmod(join(home, path), mode);
      const found = await userCredentials({ env, home }).find('a.example', 'x');
      assert.equal(found.credential, undefined);
      assert.match(found.problem ?? '', /not found/);
      await chmod(join(home, path), 0o755);
    }
    assert.equal(
      (await userCredentials({ env: { ...env, PATH: 'bin:./bin' }, home }).find('a.example', 'x')).credential,
      undefined,
    );
    assert.equal((await userCredentials({ env, home }).find('a.example', 'x')).credential?.username, 'jane');
  });
});

test('login writes config.json for the user alone, keeps all else, and follows a link', async () => {
  await inHome(async ({ home, env, write }) => {
    const options = { env, home };
    const path = await storeCredential('a.example', { username: 'jane', password: 'pw' }, options);
    assert.equal(path, join(home, '.docker/config.json'));
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    await write('dotfiles/config.json', { detachKeys: 'ctrl-e', auths: { 'b.example': auth('b', 'pw') } });
    await rm(path);
    await symlink('../dotfiles/config.json', path);
    await storeCredential('docker.io', { username: 'hub', password: 'pw' }, options);
    assert.deepEqual(JSON.parse(await readFile(join(home, 'dotfiles/config.json'), 'utf8')), {
      detachKeys: 'ctrl-e',
      auths: { 'b.example': auth('b', 'pw'), 'https://index.docker.io/v1/': auth('hub', 'pw') },
    });
    assert.equal(await eraseCredential('docker.io', options), true);
    assert.equal(await eraseCredential('docker.io', options), false);
    assert.deepEqual(Object.keys(JSON.parse(await readFile(path, 'utf8')).auths), ['b.example']);
  });
});

test('a config.json that is none is an error without its content', async () => {
  await inHome(async ({ home, env, write }) => {
    for (const text of ['{"auths": {"x": {"auth": "c2VjcmV0"', '[]', '{"auths": []}', '{"credsStore": 1}']) {
      await write('.docker/config.json', text);
      await assert.rejects(
        userCredentials({ env, home }).find('x', 'x'),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, 'TSB_USAGE_BAD_DOCKER_CONFIG');
          assert.doesNotMatch(error.message, /c2VjcmV0/);
          return true;
        },
      );
    }
  });
});

test('challenges are read in every form', () => {
  const table: [string, unknown][] = [
    ['Basic realm="x"', [{ scheme: 'basic', parameters: { realm: 'x' } }]],
    [
      'Bearer realm="https://auth.example/token",service="r.example",scope="repository:a/b:pull,push"',
      [
        {
          scheme: 'bearer',
          parameters: {
            realm: 'https://auth.example/token',
            service: 'r.example',
            scope: 'repository:a/b:pull,push',
          },
        },
      ],
    ],
    [
      'Basic realm="a", BEARER Realm = "b\\"c" , error=insufficient_scope',
      [
        { scheme: 'basic', parameters: { realm: 'a' } },
        { scheme: 'bearer', parameters: { realm: 'b"c', error: 'insufficient_scope' } },
      ],
    ],
    ['Negotiate', [{ scheme: 'negotiate', parameters: {} }]],
    ['', []],
    ['"=,"', []],
  ];
  for (const [header, expected] of table) assert.deepEqual(parseChallenges(header), expected, header);
});
