/** A changed literal here means that every user's cache is lost: it needs a new keyVersion and a line in the changelog. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Digest, sha256 } from '@tsbuild/core';
import { fileKey, imageKey, mergeKey, runKey, scratchKey, sourceKey } from '../../src/keys/op-key.js';
import type {
  CopyAction,
  FileOp,
  ImageOp,
  MkdirAction,
  MkfileAction,
  RunMount,
  RunOp,
} from '../../src/ops.js';

const base = sha256('base');
const amd64 = { os: 'linux', architecture: 'amd64' };
const content = new Map([[0, sha256('content')]]);

const run: RunOp = {
  kind: 'run',
  base: 'v1',
  args: ['/bin/sh', '-c', 'make'],
  env: [
    ['PATH', '/bin'],
    ['A', '1'],
  ],
  proxyEnv: [],
  cwd: '/src',
  user: 'me',
  hostname: 'buildkitsandbox',
  network: 'default',
  security: 'sandbox',
  mounts: [],
  mountsAsWritten: [],
  extraHosts: [{ name: 'db', address: '10.0.0.1' }],
  ulimits: [{ name: 'nofile', soft: 1, hard: 2 }],
  scripts: [],
  devices: [],
};

const copy: CopyAction = {
  type: 'copy',
  from: 'v2',
  source: '/a/file',
  destination: '/dst/',
  exclude: [],
  parents: false,
  unpack: 'never',
  ownerZero: true,
};
const mkdir: MkdirAction = { type: 'mkdir', path: '/w', mode: 0o755 };
const mkfile: MkfileAction = { type: 'mkfile', name: 'EOF', data: 'x\n', destination: '/f' };

const image: ImageOp = {
  kind: 'image',
  reference: 'busybox',
  manifest: { mediaType: 'm', digest: sha256('m'), size: 1 },
  diffIds: [sha256('l1'), sha256('l2')],
  layers: [],
  origin: { type: 'registry' },
};

const file = (...actions: FileOp['actions']): FileOp => ({ kind: 'file', base: 'v1', actions });
const keyOfRun = (more: Partial<RunOp> = {}) => runKey({ ...run, ...more }, amd64, base, content);
const keyOfMount = (mount: RunMount) => keyOfRun({ mounts: [mount] });
const keyOfCopy = (more: Partial<CopyAction> = {}) => fileKey(file({ ...copy, ...more }), base, content);

describe('golden keys', () => {
  const golden: [string, Digest, string][] = [
    ['scratch', scratchKey, 'sha256:3874d92e0901ff7a797ae22b1aa6574ce6b8a141d84a4b2b81173edf868dc413'],
    ['image', imageKey(image), 'sha256:9476dabfe183fc0073ef0a81840ac5c095a532b90c60177e69c287ed63d202fd'],
    ['run', keyOfRun(), 'sha256:f300bc9e7563eea3909b60a94a0d8eabff6c5436ecd5da10141a882e0b15343d'],
    ['copy', keyOfCopy(), 'sha256:80dee8cb9c4c19f7a2ccaeb99fbf0694e43a39ec7a7f78c3e1e022788d859df9'],
    [
      'mkdir',
      fileKey(file(mkdir), base, new Map()),
      'sha256:bd641cd86a614fd2146c424a3a332c7238fb9e8d7309556afce80ae84c9decd5',
    ],
    [
      'mkfile',
      fileKey(file(mkfile), base, new Map()),
      'sha256:065b7d1801e4fed44d1cf9fc60d690e9a7d54466ebcd98700de01b69e66b4b92',
    ],
    [
      'merge',
      mergeKey(base, sha256('upper')),
      'sha256:13abbc7b9190783e4674a27902cbfd07ff31c63c008be6792219a6910900bfd6',
    ],
    [
      'http',
      sourceKey('http', sha256('body')),
      'sha256:e5d46e894c7323235c0759da01cb655c310692e39ce6ccce9587b062ebc6c966',
    ],
  ];
  for (const [name, key, expected] of golden) it(name, () => assert.equal(key, expected));
});

describe('what changes the key of RUN', () => {
  const changes: [string, Partial<RunOp>][] = [
    ['arguments', { args: ['/bin/sh', '-c', 'make all'] }],
    ['words moved between arguments', { args: ['/bin/sh -c', 'make'] }],
    [
      'environment',
      {
        env: [
          ['PATH', '/bin'],
          ['A', '2'],
        ],
      },
    ],
    [
      'order of the environment',
      {
        env: [
          ['A', '1'],
          ['PATH', '/bin'],
        ],
      },
    ],
    ['working directory', { cwd: '/' }],
    ['user', { user: '' }],
    ['hostname', { hostname: 'h' }],
    ['network', { network: 'none' }],
    ['security', { security: 'insecure' }],
    ['name of an extra host', { extraHosts: [{ name: 'db2', address: '10.0.0.1' }] }],
    ['shm size', { shmSize: 1 }],
    ['ulimit', { ulimits: [{ name: 'nofile', soft: 1, hard: 3 }] }],
    ['cgroup parent', { cgroupParent: 'p' }],
    ['script', { scripts: [{ path: '/dev/pipes/E', data: 'x', mode: 0o755 }] }],
    ['device', { devices: [{ name: 'd', required: true }] }],
    ['tmpfs', { mounts: [{ type: 'tmpfs', target: '/t', size: 0, readonly: false }] }],
  ];
  const keys = new Map([
    ['', keyOfRun()],
    ...changes.map(([name, change]) => [name, keyOfRun(change)] as const),
  ]);
  it('each of them, and each differently', () =>
    assert.equal(new Set(keys.values()).size, changes.length + 1));
  it('platform and base', () => {
    assert.notEqual(runKey(run, { ...amd64, architecture: 'arm64' }, base, content), keyOfRun());
    assert.notEqual(runKey(run, amd64, sha256('other'), content), keyOfRun());
  });
});

describe('what does not change the key of RUN', () => {
  const same: [string, Partial<RunOp>][] = [
    ['proxies', { proxyEnv: [['HTTP_PROXY', 'http://p']] }],
    ['address of an extra host', { extraHosts: [{ name: 'db', address: '10.9.9.9' }] }],
    ['id of the base vertex', { base: 'v77' }],
  ];
  for (const [name, change] of same) it(name, () => assert.equal(keyOfRun(change), keyOfRun()));
});

describe('mounts in the key', () => {
  const cache: RunMount = {
    type: 'cache',
    target: '/c',
    id: '/c',
    sharing: 'shared',
    source: '/',
    readonly: false,
    mode: 0o755,
    uid: 0,
    gid: 0,
  };
  const bind: RunMount = { type: 'bind', target: '/b', from: 'v1', source: '/x', readonly: true };
  const secret: RunMount = {
    type: 'secret',
    id: 's',
    target: '/s',
    required: false,
    mode: 0o400,
    uid: 0,
    gid: 0,
  };
  it('a cache counts by target and mode, not by id or sharing', () => {
    assert.equal(keyOfMount({ ...cache, id: 'other', sharing: 'locked' }), keyOfMount(cache));
    assert.notEqual(keyOfMount({ ...cache, target: '/d' }), keyOfMount(cache));
    assert.notEqual(keyOfMount({ ...cache, mode: 0o700 }), keyOfMount(cache));
  });
  it('a bind counts by target and content, not by where it comes from', () => {
    assert.equal(keyOfMount({ ...bind, from: 'v9', source: '/y' }), keyOfMount(bind));
    assert.notEqual(
      runKey({ ...run, mounts: [bind] }, amd64, base, new Map([[0, sha256('new')]])),
      keyOfMount(bind),
    );
  });
  it('a secret counts by its definition', () => {
    assert.notEqual(keyOfMount({ ...secret, id: 't' }), keyOfMount(secret));
    assert.notEqual(keyOfMount({ ...secret, env: 'S' }), keyOfMount(secret));
  });
});

describe('the key of COPY', () => {
  const changes: [string, Partial<CopyAction>][] = [
    ['destination', { destination: '/dst' }],
    ['owner', { chown: '1' }],
    ['mode', { chmod: '755' }],
    ['excludes', { exclude: ['a'] }],
    ['parents', { parents: true }],
    ['unpacking', { unpack: 'auto' }],
    ['owners of the source', { ownerZero: false }],
    ['name of the source', { source: '/a/other' }],
  ];
  for (const [name, change] of changes)
    it(`changes with ${name}`, () => assert.notEqual(keyOfCopy(change), keyOfCopy()));
  it('does not change when the source moves to another directory', () =>
    assert.equal(keyOfCopy({ source: '/b/file' }), keyOfCopy()));
  it('changes with the content', () =>
    assert.notEqual(fileKey(file(copy), base, new Map([[0, sha256('new')]])), keyOfCopy()));
  it('changes with a heredoc', () => {
    assert.notEqual(
      fileKey(file({ ...mkfile, data: 'y\n' }), base, new Map()),
      fileKey(file(mkfile), base, new Map()),
    );
  });
});

describe('the key of an image', () => {
  it('is its layers, whatever it is called and wherever it is', () => {
    const other: ImageOp = {
      ...image,
      reference: 'x',
      manifest: { ...image.manifest, digest: sha256('n') },
      origin: { type: 'store' },
    };
    assert.equal(imageKey(other), imageKey(image));
    assert.notEqual(imageKey({ ...image, diffIds: [...image.diffIds].reverse() }), imageKey(image));
  });
  it('without layers is that of scratch', () =>
    assert.equal(imageKey({ ...image, diffIds: [] }), scratchKey));
});
