/** What is said of each kind of change: real Dockerfiles, planned and keyed before and after. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CacheCause, type Digest, sha256 } from '@tsbuild/core';
import { parseDockerfile } from '@tsbuild/parser';
import {
  type BuildPlan,
  Explainer,
  type FileDifference,
  type KnownStep,
  lookUp,
  planBuild,
  type PlanOptions,
  type SourceResolver,
  traceOf,
} from '../../src/index.js';
import { FakeWorker, layer } from '../fakes.js';

const amd64 = { os: 'linux', architecture: 'amd64' };

interface Build {
  text: string;
  options?: Partial<PlanOptions>;
  /** Content of what a source selects, by its path; the path itself by default. */
  files?: Record<string, string>;
  /** Content of the base image's layer. */
  image?: string;
}

function resolver(image: string): SourceResolver {
  return {
    async resolveImage(reference) {
      const diffIds = [sha256(image)];
      const manifest = { mediaType: '', digest: sha256(`manifest ${image}`), size: 1 };
      return {
        op: { kind: 'image', reference, manifest, diffIds, layers: [], origin: { type: 'registry' } },
        config: { ...amd64, config: {}, rootfs: { type: 'layers', diff_ids: diffIds } },
      };
    },
    async resolveNamedContext() {
      return undefined;
    },
  };
}

async function planOf({ text, options, image = 'base' }: Build): Promise<BuildPlan> {
  const all: PlanOptions = {
    buildArgs: {},
    labels: {},
    platform: amd64,
    platformExplicit: false,
    buildPlatform: amd64,
    noCache: false,
    entitlements: ['network.host', 'security.insecure'],
    extraHosts: [],
    ulimits: [],
    namedContexts: [],
    signal: new AbortController().signal,
    ...options,
  };
  return await planBuild(parseDockerfile(text, 'Dockerfile'), all, resolver(image));
}

async function keysOf(plan: BuildPlan, files: Record<string, string> = {}): Promise<KnownStep[]> {
  const worker = new FakeWorker();
  worker.contentDigest = async (_input, selector) => {
    const path = selector.type === 'copy' ? selector.action.source : selector.path;
    return sha256(files[path] ?? path);
  };
  const steps: KnownStep[] = [];
  await lookUp({
    plans: [plan],
    worker,
    presentImage: async () => ({ layers: [] }),
    // All is there: so keys are known of what copies from other stages, too.
    cache: {
      get: async (key) => ({ key, ref: { layers: [layer(key)] }, createdAt: '', description: '' }),
    },
    emit: () => {},
    signal: new AbortController().signal,
    observer: { keyed: (step) => void steps.push(step) },
  });
  return steps;
}

const difference: FileDifference = {
  files: [
    { path: 'src/app.js', change: 'changed', aspects: ['content'] },
    { path: 'a.txt', change: 'added' },
    { path: 'b.txt', change: 'added' },
  ],
  counts: { changed: 1, added: 2, removed: 0 },
};

/** The causes of every step that is known, by the instruction's first line. */
async function explain(
  before: Build,
  after: Build,
  failed: readonly string[] = [],
): Promise<Record<string, CacheCause[]>> {
  const old = await planOf(before);
  const known = new Map((await keysOf(old, before.files)).map((step) => [step.vertex.id, step]));
  const done = new Set(
    [...known.values()].flatMap(({ vertex }) => (failed.includes(vertex.name) ? [] : [vertex.id])),
  );
  const plan = await planOf(after);
  const explainer = new Explainer({
    plans: [plan],
    traces: [traceOf([old], known, done, 'salt')],
    filesBetween: async () => difference,
  });
  const steps = await keysOf(plan, after.files);
  for (const step of steps) explainer.keyed(step);
  const keys = new Set<Digest>([...known.values()].map(({ key }) => key));
  const causes: Record<string, CacheCause[]> = {};
  for (const { vertex, key } of steps) {
    const forced = vertex.ignoreCache;
    if (keys.has(key) && !forced && failed.length === 0) continue;
    causes[vertex.name] = await explainer.causesOf(vertex.id, forced ? 'forced' : 'absent');
  }
  return causes;
}

async function texts(before: Build, after: Build, failed: readonly string[] = []) {
  const causes = await explain(before, after, failed);
  return Object.fromEntries(
    Object.entries(causes).map(([name, all]) => [name, all.map(({ kind, text }) => `${kind}: ${text}`)]),
  );
}

const from = 'FROM base\n';

/** One instruction before and after, and what is said of it. */
const instructions: [name: string, before: string, after: string, causes: string[]][] = [
  ['the command', 'RUN make', 'RUN make all', ['instruction: the command changed from "make" to "make all"']],
  [
    'a long command, near the change',
    `RUN echo ${'a'.repeat(80)} one && ls`,
    `RUN echo ${'a'.repeat(80)} two && ls`,
    [
      'instruction: the command changed from "…aaaaaaaaaaaaaaaaaaa one && ls" to "…aaaaaaaaaaaaaaaaaaa two && ls"',
    ],
  ],
  [
    'the form',
    'RUN ["make"]',
    'RUN ["make", "all"]',
    ['instruction: the command changed from "[\\"make\\"]" to "[\\"make\\",\\"all\\"]"'],
  ],
  [
    'the shell',
    'SHELL ["/bin/sh", "-c"]\nRUN make',
    'SHELL ["/bin/bash", "-c"]\nRUN make',
    ['instruction: the shell changed from ["/bin/sh","-c"] to ["/bin/bash","-c"]'],
  ],
  [
    'a heredoc of RUN',
    'RUN <<E\n#!/bin/sh\na\nE',
    'RUN <<E\n#!/bin/sh\nb\nE',
    ['instruction: heredoc E changed'],
  ],
  ['ENV', 'ENV A=1\nRUN make', 'ENV A=2\nRUN make', ['variable: ENV A changed from "1" to "2"']],
  ['a new ENV', 'RUN make', 'ENV A=1\nRUN make', ['variable: ENV A is new: "1"']],
  ['an ENV less', 'ENV A=1\nRUN make', 'RUN make', ['variable: ENV A is gone (it was "1")']],
  ['ARG', 'ARG A=1\nRUN make', 'ARG A=2\nRUN make', ['variable: ARG A changed from "1" to "2"']],
  [
    'the order of variables',
    'ENV A=1\nENV B=1\nRUN make',
    'ENV B=1\nENV A=1\nRUN make',
    ['variable: the order of ENV and ARG changed'],
  ],
  [
    'a secret variable, without its value',
    'ARG API_TOKEN=abc\nRUN make',
    'ARG API_TOKEN=def\nRUN make',
    ['variable: ARG API_TOKEN changed (its value is not shown)'],
  ],
  [
    'a value that looks like a secret',
    'ENV X=1\nRUN make',
    `ENV X=ghp_${'a'.repeat(36)}\nRUN make`,
    ['variable: ENV X changed (its value is not shown)'],
  ],
  ['USER', 'USER a\nRUN make', 'USER b\nRUN make', ['instruction: USER changed from "a" to "b"']],
  ['USER at all', 'RUN make', 'USER b\nRUN make', ['instruction: USER is new: "b"']],
  [
    'the network',
    'RUN make',
    'RUN --network=none make',
    ['instruction: the network changed from "default" to "none"'],
  ],
  [
    'the security mode',
    'RUN make',
    'RUN --security=insecure make',
    ['instruction: --security changed from "sandbox" to "insecure"'],
  ],
  [
    'a new mount',
    'RUN make',
    'RUN --mount=type=cache,target=/c make',
    ['instruction: --mount=type=cache,target=/c is new'],
  ],
  [
    "a mount's mode",
    'RUN --mount=type=cache,target=/c make',
    'RUN --mount=type=cache,target=/c,mode=0700 make',
    ['instruction: --mount=type=cache,target=/c: mode changed from "0755" to "0700"'],
  ],
  [
    'a secret mount less',
    'RUN --mount=type=secret,id=s make',
    'RUN make',
    ['instruction: --mount=type=secret,target=/run/secrets/s is gone'],
  ],
  ['the destination', 'COPY a /x', 'COPY a /y', ['instruction: the destination changed from "/x" to "/y"']],
  ['--chown', 'COPY --chown=1 a /x', 'COPY --chown=2 a /x', ['instruction: --chown changed from "1" to "2"']],
  ['a new --chmod', 'COPY a /x', 'COPY --chmod=755 a /x', ['instruction: --chmod is new: "755"']],
  [
    '--exclude',
    'COPY --exclude=a . /x',
    'COPY --exclude=b . /x',
    ['instruction: --exclude changed from "[\\"a\\"]" to "[\\"b\\"]"'],
  ],
  [
    'another source',
    'COPY a b /x/',
    'COPY a c /x/',
    ['instruction: source c is new', 'instruction: source b is gone'],
  ],
  ['the order of sources', 'COPY a b /x/', 'COPY b a /x/', ['instruction: the order of the sources changed']],
  ['a heredoc of COPY', 'COPY <<E /x\na\nE', 'COPY <<E /x\nb\nE', ['instruction: heredoc E changed']],
  ['WORKDIR', 'WORKDIR /a', 'WORKDIR /b', ['instruction: the path changed from "/a" to "/b"']],
];

describe('what changed of an instruction', () => {
  for (const [name, before, after, causes] of instructions)
    it(name, async () => {
      const found = await texts({ text: from + before }, { text: from + after });
      assert.deepEqual(Object.values(found).at(-1), causes);
    });
});

/** Options of the build that are in the key of RUN. */
const options: [name: string, Partial<PlanOptions>, string][] = [
  ['shm size', { shmSize: 1 }, 'option: --shm-size is new: "1"'],
  ['ulimit', { ulimits: [{ name: 'nofile', soft: 1, hard: 2 }] }, 'option: --ulimit is new: "nofile=1:2"'],
  ['host', { extraHosts: [{ name: 'db', address: '1.2.3.4' }] }, 'option: --add-host is new: "db"'],
  ['cgroup parent', { cgroupParent: 'p' }, 'option: --cgroup-parent is new: "p"'],
  [
    'host name',
    { buildArgs: { BUILDKIT_SANDBOX_HOSTNAME: 'h' } },
    'option: the host name changed from "buildkitsandbox" to "h"',
  ],
  [
    'platform',
    { platform: { os: 'linux', architecture: 'arm64' } },
    'option: the platform changed from "linux/amd64" to "linux/arm64"',
  ],
];

describe('what changed of the options', () => {
  for (const [name, change, cause] of options)
    it(name, async () => {
      const text = `${from}RUN make`;
      assert.deepEqual(Object.values(await texts({ text }, { text, options: change })), [[cause]]);
    });
});

describe('what came in', () => {
  const text = 'FROM base\nCOPY . /src\nRUN npm ci\nRUN make';
  it('files, and the steps above say so', async () => {
    assert.deepEqual(await texts({ text }, { text, files: { '/': 'new' } }), {
      '[2/4] COPY . /src': ['files: src/app.js content changed; 2 files added (a.txt, b.txt)'],
      '[3/4] RUN npm ci': ['below: the step below it changed: [2/4] COPY . /src'],
      '[4/4] RUN make': ['below: a step below it changed: [2/4] COPY . /src'],
    });
  });
  it('an edited step above is told with what is below', async () => {
    const found = await texts({ text }, { text: `${text} all`, files: { '/': 'new' } });
    assert.deepEqual(found['[4/4] RUN make all'], [
      'instruction: the command changed from "make" to "make all"',
      'below: a step below it changed: [2/4] COPY . /src',
    ]);
  });
  it('an inserted instruction', async () => {
    const after = 'FROM base\nCOPY . /src\nRUN apt install x\nRUN npm ci\nRUN make';
    assert.deepEqual(await texts({ text }, { text: after }), {
      '[3/5] RUN apt install x': ['new: no build of this step is on record'],
      '[4/5] RUN npm ci': ['below: the step below it is new: [3/5] RUN apt install x'],
      '[5/5] RUN make': ['below: a step below it is new: [3/5] RUN apt install x'],
    });
  });
  it('a removed instruction', async () => {
    assert.deepEqual(await texts({ text }, { text: 'FROM base\nCOPY . /src\nRUN make' }), {
      '[3/3] RUN make': ['below: it stands on [2/3] COPY . /src now, not on RUN npm ci'],
    });
  });
  it('another base image', async () => {
    const found = await texts({ text: `${from}RUN make` }, { text: `${from}RUN make`, image: 'newer' });
    const [cause = ''] = found['[2/2] RUN make'] ?? [];
    assert.match(
      cause,
      /^image: the base image base has other layers \(sha256:\w{12} became sha256:\w{12}\)$/,
    );
  });
  it('files of a bind mount', async () => {
    const run = 'FROM base\nRUN --mount=type=bind,source=s,target=/m make';
    const found = await texts({ text: run }, { text: run, files: { '/s': 'new' } });
    assert.deepEqual(Object.values(found), [
      ['files: src/app.js content changed; 2 files added (a.txt, b.txt)'],
    ]);
  });
  it('a stage that is renamed or moved is the same stage', async () => {
    const two = 'FROM base AS a\nRUN zero\nRUN one\nFROM base\nCOPY --from=a /x /x\nRUN two';
    const renamed = two.replace('AS a', 'AS b').replace('--from=a', '--from=b');
    assert.deepEqual(await texts({ text: two }, { text: renamed }), {});
    const edited = Object.entries(await texts({ text: two }, { text: renamed.replace('one', 'one 1') }));
    assert.deepEqual(edited[0]?.[1], ['instruction: the command changed from "one" to "one 1"']);
    const more = `FROM base AS more\nRUN more\n${two.replace('RUN two', 'RUN two 2')}`;
    const found = Object.entries(await texts({ text: two }, { text: more }));
    assert.deepEqual(found.find(([name]) => name.endsWith('RUN two 2'))?.[1], [
      'instruction: the command changed from "two" to "two 2"',
    ]);
  });
});

describe('nothing changed', () => {
  const text = `${from}RUN make`;
  it('and the result is gone', async () => {
    const plan = await planOf({ text });
    const known = new Map((await keysOf(plan)).map((step) => [step.vertex.id, step]));
    const [id = ''] = known.keys();
    const explainer = new Explainer({
      plans: [plan],
      traces: [traceOf([plan], known, new Set([id]), 's')],
      filesBetween: async () => undefined,
    });
    for (const step of known.values()) explainer.keyed(step);
    const causes = async (reason: 'absent' | 'unusable') =>
      (await explainer.causesOf(id, reason)).map((cause) => `${cause.kind}: ${cause.text}`);
    assert.deepEqual(await causes('absent'), [
      'gone: nothing changed, but its result is not in the cache any more',
    ]);
    assert.deepEqual(await causes('unusable'), [
      'gone: nothing changed, but the files of its result are gone or damaged',
    ]);
  });
  it('but it has failed', async () => {
    assert.deepEqual(await texts({ text }, { text }, ['[2/2] RUN make']), {
      '[2/2] RUN make': ['unfinished: nothing changed, but it has not succeeded yet'],
    });
  });
  it('but the cache was not to be used', async () => {
    assert.deepEqual(Object.values(await texts({ text }, { text, options: { noCache: true } })), [
      ['forced: the cache was not to be used (--no-cache)'],
    ]);
  });
});

describe('a trace', () => {
  it('has no value of a secret variable, nor what looks like one', async () => {
    const secrets = ['hunter2', `ghp_${'b'.repeat(36)}`];
    const plan = await planOf({
      text: `${from}ARG PASSWORD=${secrets[0]}\nENV X=${secrets[1]}\nRUN echo $PASSWORD $X`,
    });
    const known = new Map((await keysOf(plan)).map((step) => [step.vertex.id, step]));
    const written = JSON.stringify(traceOf([plan], known, new Set(), 'salt'));
    // The line of the Dockerfile is in it, the values of the variables are not.
    assert.match(written, /RUN echo \$PASSWORD \$X/);
    assert.deepEqual(
      secrets.filter((secret) => written.includes(secret)),
      [],
    );
  });
});
