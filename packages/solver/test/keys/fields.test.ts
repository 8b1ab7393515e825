/**
 * Every field of every op is in the key or on the list of those left out, with the reason. The tables are checked by the
 * compiler: a new field of an op does not compile here until somebody has decided.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Digest, sha256 } from '@tsbuild/core';
import { factsOf } from '../../src/explain/facts.js';
import { fileKey, imageKey, runKey } from '../../src/keys/op-key.js';
import type {
  CopyAction,
  FileAction,
  FileOp,
  ImageOp,
  MkdirAction,
  MkfileAction,
  RunMount,
  RunOp,
} from '../../src/ops.js';

/** Other values that must give another key, or must not. */
type Rule<T> = { counts: readonly T[] } | { leftOut: string; others: readonly T[] };
/** The discriminants are told apart by the key's own kinds. */
type Rules<T> = { [Field in Exclude<keyof T, 'kind' | 'type'>]-?: Rule<T[Field]> };

const [base, digest] = [sha256('base'), sha256('content')];
const contents = new Map([[0, digest]]);
const amd64 = { os: 'linux', architecture: 'amd64' };

const run: RunOp = {
  kind: 'run',
  base: 'v1',
  args: ['/bin/sh', '-c', 'make'],
  env: [
    ['PATH', '/bin'],
    ['A', '1'],
  ],
  proxyEnv: [['http_proxy', 'http://p']],
  cwd: '/src',
  user: 'me',
  hostname: 'h',
  network: 'default',
  security: 'sandbox',
  mounts: [],
  mountsAsWritten: [],
  extraHosts: [{ name: 'db', address: '10.0.0.1' }],
  shmSize: 1,
  ulimits: [{ name: 'nofile', soft: 1, hard: 2 }],
  cgroupParent: 'p',
  scripts: [{ path: '/dev/pipes/E', data: 'x', mode: 0o755 }],
  devices: [{ name: 'd', required: false }],
};
const tmpfs: RunMount = { type: 'tmpfs', target: '/t', size: 1, readonly: false };

const runRules: Rules<RunOp> = {
  base: { leftOut: 'an id of this graph: the key of what it names is in the key', others: ['v2'] },
  args: {
    counts: [
      ['/bin/sh', '-c', 'make all'],
      ['/bin/sh', '-c'],
      ['/bin/sh -c', 'make'],
      ['/bin/sh', 'make', '-c'],
    ],
  },
  env: {
    counts: [
      [],
      [['PATH', '/bin']],
      [
        ['A', '1'],
        ['PATH', '/bin'],
      ],
      [
        ['PATH', '/bin'],
        ['A', '2'],
      ],
      [
        ['PATH', '/bin'],
        ['B', '1'],
      ],
      [
        ['PATH', '/binA'],
        ['', '1'],
      ],
    ],
  },
  proxyEnv: {
    leftOut: 'a proxy changes the way, not the result',
    others: [[], [['http_proxy', 'http://q']]],
  },
  cwd: { counts: ['/', '/src/'] },
  user: { counts: ['', 'you', 'me:me'] },
  hostname: { counts: ['', 'i'] },
  network: { counts: ['none', 'host'] },
  security: { counts: ['insecure'] },
  mounts: { counts: [[tmpfs], [tmpfs, tmpfs]] },
  mountsAsWritten: {
    leftOut: "for the keys of BuildKit's caches; `mounts` says it all",
    others: [[{ position: 0, id: 'x', target: '', owned: false }]],
  },
  extraHosts: {
    counts: [
      [],
      [{ name: 'db2', address: '10.0.0.1' }],
      [
        { name: 'db', address: '10.0.0.1' },
        { name: 'db', address: '10.0.0.1' },
      ],
    ],
  },
  shmSize: { counts: [undefined, 2] },
  ulimits: {
    counts: [
      [],
      [{ name: 'core', soft: 1, hard: 2 }],
      [{ name: 'nofile', soft: 2, hard: 2 }],
      [{ name: 'nofile', soft: 1, hard: 1 }],
    ],
  },
  cgroupParent: { counts: [undefined, 'q'] },
  scripts: {
    counts: [
      [],
      [{ path: '/dev/pipes/F', data: 'x', mode: 0o755 }],
      [{ path: '/dev/pipes/E', data: 'y', mode: 0o755 }],
      [{ path: '/dev/pipes/E', data: 'x', mode: 0o700 }],
    ],
  },
  devices: { counts: [[], [{ name: 'e', required: false }], [{ name: 'd', required: true }]] },
};

type Mount<Type extends RunMount['type']> = Extract<RunMount, { type: Type }>;
type MountCase<Type extends RunMount['type']> = { mount: Mount<Type>; rules: Rules<Mount<Type>> };
const access = { mode: 0o400, uid: 1, gid: 2 };

const mounts: { [Type in RunMount['type']]: MountCase<Type> } = {
  bind: {
    mount: { type: 'bind', target: '/b', from: 'v1', source: '/s', readonly: true },
    rules: {
      target: { counts: ['/c'] },
      from: { leftOut: 'counts by the content that is mounted', others: ['v2'] },
      source: { leftOut: 'counts by the content that is mounted', others: ['/', '/t'] },
      readonly: { counts: [false] },
    },
  },
  cache: {
    mount: {
      type: 'cache',
      target: '/c',
      id: '/c',
      sharing: 'shared',
      from: 'v1',
      source: '/s',
      readonly: false,
      ...access,
    },
    rules: {
      target: { counts: ['/d'] },
      id: { leftOut: 'what is in a cache never counts, so neither does which one', others: ['/d', 'x'] },
      sharing: { leftOut: 'who else may use it at the same time', others: ['private', 'locked'] },
      from: { leftOut: 'counts by the content the cache begins with', others: ['v2'] },
      source: { leftOut: 'counts by the content the cache begins with', others: ['/t'] },
      readonly: { counts: [true] },
      mode: { counts: [0o755] },
      uid: { counts: [0, 2] },
      gid: { counts: [0, 1] },
    },
  },
  tmpfs: {
    mount: { type: 'tmpfs', target: '/t', size: 1, readonly: false },
    rules: { target: { counts: ['/u'] }, size: { counts: [0, 2] }, readonly: { counts: [true] } },
  },
  secret: {
    mount: { type: 'secret', id: 's', target: '/s', env: 'S', required: false, ...access },
    rules: {
      id: { counts: ['t'] },
      target: { counts: [undefined, '/t'] },
      env: { counts: [undefined, 'T'] },
      required: { counts: [true] },
      mode: { counts: [0o755] },
      uid: { counts: [0, 2] },
      gid: { counts: [0, 1] },
    },
  },
  ssh: {
    mount: { type: 'ssh', id: 's', target: '/s', required: false, ...access },
    rules: {
      id: { counts: ['t'] },
      target: { counts: ['/t'] },
      required: { counts: [true] },
      mode: { counts: [0o755] },
      uid: { counts: [0, 2] },
      gid: { counts: [0, 1] },
    },
  },
};

type ActionCase<A extends FileAction> = { action: A; rules: Rules<A> };
const actions: {
  copy: ActionCase<CopyAction>;
  mkfile: ActionCase<MkfileAction>;
  mkdir: ActionCase<MkdirAction>;
} = {
  copy: {
    action: {
      type: 'copy',
      from: 'v1',
      source: '/a/file',
      destination: '/d/',
      dotted: true,
      chown: '1',
      chmod: '644',
      exclude: ['x'],
      parents: false,
      unpack: 'never',
      ownerZero: true,
      remote: true,
      wholeContext: true,
    },
    rules: {
      from: { leftOut: 'counts by the content that is copied', others: ['v2'] },
      // The folder it is in does not count: that is in the next test.
      source: { counts: ['/a/other', '/a/file2', '/'] },
      destination: { counts: ['/d', '/e/'] },
      dotted: { leftOut: 'another way to write the same', others: [undefined] },
      chown: { counts: [undefined, '2', '1:1'] },
      chmod: { counts: [undefined, '600', 'u+x'] },
      exclude: { counts: [[], ['y'], ['x', 'y']] },
      parents: { counts: [true] },
      unpack: { counts: ['auto', 'always'] },
      ownerZero: { counts: [false] },
      remote: { leftOut: 'counts by the content that was fetched', others: [undefined] },
      wholeContext: { leftOut: 'the same copy, whatever it is for', others: [undefined] },
    },
  },
  mkfile: {
    action: {
      type: 'mkfile',
      name: 'E',
      data: 'x',
      destination: '/d/',
      dotted: true,
      chown: '1',
      chmod: '644',
    },
    rules: {
      name: { counts: ['F'] },
      data: { counts: ['', 'y', 'x\n'] },
      destination: { counts: ['/d'] },
      dotted: { leftOut: 'another way to write the same', others: [undefined] },
      chown: { counts: [undefined, '2'] },
      chmod: { counts: [undefined, '600'] },
    },
  },
  mkdir: {
    action: { type: 'mkdir', path: '/w', mode: 0o755, owner: 'me', mtime: '1' },
    rules: {
      path: { counts: ['/v'] },
      mode: { counts: [0o700] },
      owner: { counts: [undefined, 'you'] },
      mtime: { counts: [undefined, '2'] },
    },
  },
};

const image: ImageOp = {
  kind: 'image',
  reference: 'busybox',
  named: sha256('index'),
  manifest: { mediaType: 'm', digest: sha256('m'), size: 1 },
  diffIds: [sha256('1'), sha256('2')],
  layers: [{ mediaType: 'l', digest: sha256('l'), size: 1 }],
  origin: { type: 'registry' },
};
const imageRules: Rules<ImageOp> = {
  reference: { leftOut: 'the same files under another name', others: ['alpine'] },
  named: { leftOut: 'which platforms there are besides', others: [undefined, sha256('other')] },
  manifest: { leftOut: 'has the config in it', others: [{ mediaType: 'm', digest: sha256('n'), size: 2 }] },
  diffIds: { counts: [[sha256('1')], [sha256('2'), sha256('1')], [sha256('1'), sha256('2'), sha256('3')]] },
  layers: { leftOut: 'how layers are compressed', others: [[]] },
  origin: { leftOut: 'where the blobs are', others: [{ type: 'store' }] },
};

/** @param keyOf the key, and what explanations compare: they may not miss what the key sees, nor see more */
function check<T extends object>(
  what: string,
  value: T,
  rules: Rules<T>,
  keyOf: (value: T) => Digest,
  factsOfIt?: (value: T) => Record<string, string>,
): void {
  const key = keyOf(value);
  describe(what, () => {
    // Every field is there, so that its absence is another value.
    it('all fields have a value', () =>
      assert.deepEqual(
        Object.keys(rules).filter((field) => (value as Record<string, unknown>)[field] === undefined),
        [],
      ));
    for (const [field, rule] of Object.entries<Rule<unknown>>(rules)) {
      const counts = 'counts' in rule;
      it(`${field} ${counts ? 'is in the key' : `is left out: ${rule.leftOut}`}`, () => {
        const others = (counts ? rule.counts : rule.others).map((other) => ({ ...value, [field]: other }));
        assert.ok(others.length > 0);
        const keys = others.map(keyOf);
        if (counts) assert.equal(new Set([key, ...keys]).size, keys.length + 1);
        else assert.deepEqual([...new Set([key, ...keys])], [key]);
        if (factsOfIt === undefined) return;
        const facts = [value, ...others].map((each) => JSON.stringify(factsOfIt(each)));
        assert.equal(new Set(facts).size, counts ? facts.length : 1, 'explanations');
      });
    }
  });
}

const keyOfRun = (op: RunOp) => runKey(op, amd64, base, contents);
const keyOfFile = (action: FileAction) => fileKey(op(action), base, contents);
const op = (...all: FileAction[]): FileOp => ({ kind: 'file', base: 'v1', actions: all });

const factsOfRun = (each: RunOp) => factsOf(each, amd64, contents);
check('RUN', run, runRules, keyOfRun, factsOfRun);
for (const { mount, rules } of Object.values(mounts))
  check(
    `--mount=type=${mount.type}`,
    mount as RunMount,
    rules as Rules<RunMount>,
    (other) => keyOfRun({ ...run, mounts: [other] }),
    (other) => factsOfRun({ ...run, mounts: [other] }),
  );
for (const { action, rules } of Object.values(actions))
  check(action.type, action as FileAction, rules as Rules<FileAction>, keyOfFile, (other) =>
    factsOf(op(other), amd64, contents),
  );
check('FROM image', image, imageRules, imageKey);

describe('what is no field', () => {
  it('the kinds of mounts and of actions', () => {
    const keys = [
      ...Object.values(mounts).map(({ mount }) => keyOfRun({ ...run, mounts: [mount] })),
      ...Object.values(actions).map(({ action }) => keyOfFile(action)),
    ];
    assert.equal(new Set(keys).size, keys.length);
  });
  it('platform, base and contents of RUN', () => {
    const keys = [
      keyOfRun(run),
      runKey(run, { ...amd64, architecture: 'arm64' }, base, contents),
      runKey(run, { ...amd64, variant: 'v2' }, base, contents),
      runKey(run, amd64, sha256('other'), contents),
    ];
    assert.equal(new Set(keys).size, keys.length);
    for (const { mount } of [mounts.bind, mounts.cache]) {
      const withMount = { ...run, mounts: [mount] };
      const of = (content?: Digest) =>
        runKey(withMount, amd64, base, new Map(content === undefined ? [] : [[0, content]]));
      assert.equal(new Set([of(), of(digest), of(sha256('new'))]).size, 3, mount.type);
    }
  });
  it('base and contents of file actions, and their order', () => {
    const { action } = actions.copy;
    const other = { ...action, source: '/b/other' };
    const keys = [
      fileKey(op(action, other), base, new Map([[0, digest]])),
      fileKey(op(other, action), base, new Map([[0, digest]])),
      fileKey(op(action, other), base, new Map([[1, digest]])),
      fileKey(op(action, other), sha256('other'), new Map([[0, digest]])),
      fileKey(op(action), base, new Map([[0, digest]])),
    ];
    assert.equal(new Set(keys).size, keys.length);
  });
  it('the folder of a source', () => {
    const { action } = actions.copy;
    assert.equal(keyOfFile({ ...action, source: '/elsewhere/file' }), keyOfFile(action));
  });
  it('the address of an extra host', () =>
    assert.equal(keyOfRun({ ...run, extraHosts: [{ name: 'db', address: '10.9.9.9' }] }), keyOfRun(run)));
});
