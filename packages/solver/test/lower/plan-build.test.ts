import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, it } from 'node:test';
import { type ContainerConfig, formatPlatform, type Platform, sha256, TsbuildError } from '@tsbuild/core';
import { parseDockerfile } from '@tsbuild/parser';
import {
  type BuildPlan,
  planBuild,
  type PlanOptions,
  type ResolvedImage,
  type SourceResolver,
} from '../../src/index.js';

const amd64 = { os: 'linux', architecture: 'amd64' };

/** Answers everything and remembers what it was asked. */
class FakeResolver implements SourceResolver {
  readonly asked: string[] = [];
  readonly contexts: Record<string, Awaited<ReturnType<SourceResolver['resolveNamedContext']>>> = {};
  readonly configs: Record<string, ContainerConfig> = {};
  /** Called before an answer. */
  during: (reference: string, signal: AbortSignal) => Promise<void> = async () => {};

  async resolveImage(reference: string, platform: Platform, signal: AbortSignal): Promise<ResolvedImage> {
    this.asked.push(`${reference} ${formatPlatform(platform)}`);
    await this.during(reference, signal);
    return this.image(reference, platform);
  }

  async resolveNamedContext(name: string, platform: Platform) {
    this.asked.push(`context ${name} ${formatPlatform(platform)}`);
    return this.contexts[name];
  }

  image(reference: string, platform: Platform = amd64): ResolvedImage {
    const diffIds = [sha256(reference)];
    return {
      op: {
        kind: 'image',
        reference,
        manifest: { mediaType: '', digest: sha256(reference), size: 1 },
        diffIds,
        layers: [],
        origin: { type: 'registry' },
      },
      config: {
        ...platform,
        config: this.configs[reference] ?? {},
        rootfs: { type: 'layers', diff_ids: diffIds },
      },
    };
  }
}

function plan(
  text: string,
  resolver = new FakeResolver(),
  more: Partial<PlanOptions> = {},
): Promise<BuildPlan> {
  const options: PlanOptions = {
    buildArgs: {},
    labels: {},
    platform: amd64,
    platformExplicit: false,
    buildPlatform: amd64,
    noCache: false,
    entitlements: [],
    extraHosts: [],
    ulimits: [],
    namedContexts: Object.keys(resolver.contexts),
    signal: new AbortController().signal,
    ...more,
  };
  return planBuild(parseDockerfile(text, 'Dockerfile'), options, resolver);
}

async function failure(promise: Promise<unknown>): Promise<TsbuildError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(TsbuildError.is(error), String(error));
  return error;
}

describe('what is asked for', () => {
  const cases: [string, string, string | undefined, string[]][] = [
    ['nothing for scratch', 'FROM scratch\nCOPY a /\n', undefined, []],
    [
      'only what the target needs',
      'FROM a AS x\nFROM b AS y\nFROM c\nCOPY --from=x /f /\n',
      undefined,
      ['a', 'c'],
    ],
    ['nothing after the target', 'FROM a AS x\nFROM b\n', 'x', ['a']],
    [
      'parents, and what they copy from',
      'FROM a AS p\nCOPY --from=i /f /\nFROM p AS q\nFROM q\n',
      undefined,
      ['a', 'i'],
    ],
    [
      'images of mounts',
      'FROM a\nRUN --mount=from=m,target=/m --mount=type=cache,from=n,target=/n true\n',
      undefined,
      ['a', 'm', 'n'],
    ],
    [
      'an image once, however often it is named',
      'FROM a AS x\nFROM a\nCOPY --from=a / /\nCOPY --from=x / /\n',
      undefined,
      ['a'],
    ],
    ['a number in a mount is an image', 'FROM a\nRUN --mount=from=0,target=/m true\n', undefined, ['0', 'a']],
    ['a stage name only as written in FROM', 'FROM a AS Base\nFROM Base\n', undefined, ['Base']],
    [
      'a stage name in any case in COPY',
      'FROM a AS Base\nFROM b\nCOPY --from=BASE / /\n',
      undefined,
      ['a', 'b'],
    ],
  ];
  for (const [name, text, target, wanted] of cases) {
    it(name, async () => {
      const resolver = new FakeResolver();
      await plan(text, resolver, target === undefined ? {} : { target });
      assert.deepEqual(resolver.asked.map((each) => each.split(' ')[0]).sort(), wanted);
    });
  }

  it('platforms: of FROM, of the parent, of the build for COPY --from', async () => {
    const resolver = new FakeResolver();
    await plan(
      'FROM --platform=linux/s390x a AS x\nFROM x AS y\nFROM --platform=$BUILDPLATFORM b\nCOPY --from=y / /\nCOPY --from=c / /\n',
      resolver,
      {
        platform: { os: 'linux', architecture: 'arm', variant: 'v7' },
      },
    );
    assert.deepEqual(resolver.asked.sort(), ['a linux/s390x', 'b linux/amd64', 'c linux/arm/v7']);
  });

  it('in parallel', async () => {
    const resolver = new FakeResolver();
    let waiting = 0;
    let most = 0;
    resolver.during = async () => {
      waiting += 1;
      most = Math.max(most, waiting);
      await sleep(5);
      waiting -= 1;
    };
    await plan(
      'FROM a AS x\nCOPY --from=i / /\nFROM b AS y\nFROM c\nCOPY --from=x / /\nCOPY --from=y / /\n',
      resolver,
    );
    assert.equal(resolver.asked.length, 4);
    assert.ok(most >= 3, `${most} at a time`);
  });

  it('stages and images that triggers need', async () => {
    const resolver = new FakeResolver();
    resolver.configs['a'] = { OnBuild: ['COPY --from=helper /h /', 'RUN --mount=from=m,target=/m true'] };
    const made = await plan('FROM h AS helper\nFROM u AS unused\nFROM a\n', resolver);
    assert.deepEqual(resolver.asked.map((each) => each.split(' ')[0]).sort(), ['a', 'h', 'm']);
    assert.equal(made.config.OnBuild, undefined);
  });
});

describe('failures while asking', () => {
  it('the first ends the others, and has its place', async () => {
    const resolver = new FakeResolver();
    let ended = 0;
    resolver.during = async (reference, signal) => {
      if (reference === 'bad') throw new TsbuildError('TSB_RESOLVE_NOT_FOUND', 'bad: not found');
      await sleep(10_000, undefined, { signal }).finally(() => (ended += 1));
    };
    const error = await failure(
      plan('FROM a AS x\nFROM bad AS y\nFROM c\nCOPY --from=x / /\nCOPY --from=y / /\n', resolver),
    );
    assert.equal(error.code, 'TSB_RESOLVE_NOT_FOUND');
    assert.equal(error.source?.range.startLine, 2);
    assert.equal(ended, resolver.asked.length - 1);
  });

  it('a mistyped stage gets the near one', async () => {
    const resolver = new FakeResolver();
    resolver.during = async (reference) => {
      if (reference === 'biuld')
        throw new TsbuildError('TSB_RESOLVE_NOT_FOUND', 'not found', { hint: 'Log in.' });
    };
    const error = await failure(plan('FROM a AS build\nFROM b\nCOPY --from=biuld / /\n', resolver));
    assert.equal(error.hint, 'No stage is called biuld: did you mean build? Log in.');
    assert.equal(error.source?.range.startLine, 3);
  });

  it('an abort ends all', async () => {
    const resolver = new FakeResolver();
    const stop = new AbortController();
    resolver.during = async (_, signal) => {
      stop.abort();
      await sleep(10_000, undefined, { signal });
    };
    await assert.rejects(plan('FROM a\nCOPY --from=b / /\n', resolver, { signal: stop.signal }), {
      name: 'AbortError',
    });
  });
});

describe('named contexts', () => {
  it('take the place of an image, whatever it is called', async () => {
    for (const [given, written] of [
      ['busybox', 'docker.io/library/busybox:latest'],
      ['docker.io/library/busybox', 'busybox'],
      ['busybox:latest', 'library/busybox'],
      ['h:5/x:1', 'h:5/x:1'],
    ] as const) {
      const resolver = new FakeResolver();
      resolver.contexts[given] = resolver.image('instead');
      await plan(`FROM ${written}\n`, resolver);
      assert.deepEqual(resolver.asked, [`context ${given} linux/amd64`]);
    }
  });

  it('take the place of a stage, whose instructions are not looked at', async () => {
    const resolver = new FakeResolver();
    resolver.contexts['base'] = resolver.image('instead');
    const made = await plan('FROM a AS base\nCOPY --from=b / /\nFROM base\nRUN x\n', resolver);
    assert.deepEqual(resolver.asked, ['context base linux/amd64']);
    assert.deepEqual(
      [...made.vertices.values()].map(({ op }) => op.kind),
      ['image', 'run'],
    );
  });

  it('are looked for with the platform first', async () => {
    const resolver = new FakeResolver();
    resolver.contexts['a'] = resolver.image('any');
    resolver.contexts['a::linux/amd64'] = resolver.image('exact');
    await plan('FROM a\n', resolver);
    assert.deepEqual(resolver.asked, ['context a::linux/amd64 linux/amd64']);
  });

  it('scratch is never replaced', async () => {
    const resolver = new FakeResolver();
    resolver.contexts['scratch'] = resolver.image('no');
    await plan('FROM scratch\nCOPY a /\n', resolver);
    assert.deepEqual(resolver.asked, []);
  });

  it('may be another stage of the file', async () => {
    const resolver = new FakeResolver();
    resolver.contexts['ext'] = { target: 'later' };
    const made = await plan('FROM ext\nRUN x\nFROM a AS later\nRUN y\n', resolver, { target: 'later' });
    assert.equal(made.history.length, 1);
    const first = await plan('FROM ext AS first\nRUN x\nFROM a AS later\nRUN y\n', resolver, {
      target: 'first',
    });
    assert.deepEqual(
      first.history.map(({ entry }) => entry.created_by),
      ['RUN /bin/sh -c y # buildkit', 'RUN /bin/sh -c x # buildkit'],
    );
    const error = await failure(plan('FROM ext AS later\nRUN x\n', resolver));
    assert.equal(error.message, 'circular dependency detected on stage: later');
  });
});

describe('errors have their place', () => {
  const cases: [string, string, number, string, string?][] = [
    ['FROM', 'FROM a AS x\nFROM $Y\n', 2, 'base name ($Y) should not be blank'],
    ['an instruction', 'FROM a AS x\nLABEL a=b\nSTOPSIGNAL no\n', 3, 'invalid signal: no', 'x'],
    ['several lines', 'FROM a\nENV a=b \\\n  c=${x?y}\n', 2, 'failed to process "${x?y}": x: y', 'stage-0'],
    ['a mount', 'FROM a\nRUN --mount=type=tmpfs,target=/ x\n', 2, 'invalid mount target "/"', 'stage-0'],
    ['COPY --from', 'FROM a AS me\nCOPY --from=3 / /\n', 2, 'invalid stage index 3', 'me'],
    [
      'a link',
      'FROM a\nCOPY --link --chown=name f /\n',
      2,
      '--link cannot look up the owner name: the copy is made without the base',
      'stage-0',
    ],
    ['a global ARG', 'ARG A=${b:?no}\nFROM a\n', 1, 'failed to process "${b:?no}": b: no'],
    [
      'a URL with several checksums',
      `FROM a\nADD --checksum=sha256:${'0'.repeat(64)} http://h/a http://h/b /\n`,
      2,
      "checksum can't be specified for multiple sources",
      'stage-0',
    ],
  ];
  for (const [name, text, line, message, stage] of cases) {
    it(name, async () => {
      const error = await failure(plan(text));
      assert.equal(error.message, message);
      assert.equal(error.source?.range.startLine, line);
      assert.equal(error.source?.file, 'Dockerfile');
      assert.equal(error.stage, stage);
      assert.ok(error.hint, 'no hint');
    });
  }

  it('of a trigger: the FROM that brought it', async () => {
    const resolver = new FakeResolver();
    resolver.configs['t'] = { OnBuild: ['STOPSIGNAL no'] };
    const error = await failure(plan('FROM scratch AS x\nFROM t\n', resolver));
    assert.equal(error.source?.range.startLine, 2);
  });
});

describe('warnings', () => {
  it('build arguments that nothing declares', async () => {
    const made = await plan('ARG G\nFROM a AS u\nARG IN_UNUSED\nFROM a\nARG S\n', new FakeResolver(), {
      buildArgs: {
        G: '',
        IN_UNUSED: '',
        S: '',
        TYPO: '',
        http_proxy: '',
        BUILDKIT_X: '',
        TARGETARCH: 'z',
        SOURCE_DATE_EPOCH: '0',
      },
    });
    const found = made.warnings.filter(({ rule }) => rule === 'UnusedBuildArg');
    assert.deepEqual(found, [
      { rule: 'UnusedBuildArg', message: 'One or more build-args [TYPO] were not consumed' },
    ]);
  });

  it('are those of the stages that are built, each with its line', async () => {
    const made = await plan('FROM a AS one\nWORKDIR unused\nFROM b\nWORKDIR rel\n');
    assert.deepEqual(
      made.warnings.map(({ rule, range }) => [rule, range?.startLine]),
      [['WorkdirRelativePath', 4]],
    );
  });

  it('end the plan where the file says so', async () => {
    const error = await failure(plan('# check=error=true\nFROM a\nMAINTAINER x\n'));
    assert.equal(error.message, 'lint violation found for rules: MaintainerDeprecated');
  });
});

describe('the plan', () => {
  it('is the same whatever order the answers come in', async () => {
    const text =
      'FROM a AS x\nRUN 1\nFROM b AS y\nRUN 2\nFROM c\nCOPY --from=y / /\nCOPY --from=x / /\nCOPY --from=i / /\n';
    const plans: string[] = [];
    for (const slow of ['a', 'b', 'c', 'i']) {
      const resolver = new FakeResolver();
      resolver.during = async (reference) => void (await sleep(reference === slow ? 5 : 0));
      plans.push(JSON.stringify([...(await plan(text, resolver)).vertices]));
    }
    assert.equal(new Set(plans).size, 1);
  });

  it('lists inputs before users', async () => {
    const made = await plan(
      'FROM a AS x\nRUN 1\nFROM b\nCOPY --from=x / /\nCOPY --link f /\nRUN --mount=from=x,target=/m 2\n',
    );
    const seen = new Set<string>();
    for (const [id, { op }] of made.vertices) {
      for (const input of Object.values(op))
        if (typeof input === 'string' && made.vertices.has(input)) assert.ok(seen.has(input));
      seen.add(id);
    }
    assert.ok(seen.has(made.result));
  });

  it('names equal steps of two platforms alike where the platform does not matter', async () => {
    const text = 'FROM --platform=$BUILDPLATFORM tools AS t\nRUN make\nFROM scratch\nCOPY --from=t /o /\n';
    const one = await plan(text);
    const two = await plan(text, new FakeResolver(), { platform: { os: 'linux', architecture: 'arm64' } });
    assert.deepEqual([...two.vertices.keys()], [...one.vertices.keys()]);
  });

  it('takes the platform of the base, or the one that was named', async () => {
    const arm64 = { os: 'linux', architecture: 'arm64' };
    const text = 'FROM --platform=linux/s390x a\n';
    assert.equal(
      (await plan(text, new FakeResolver(), { platform: arm64 })).imagePlatform.architecture,
      's390x',
    );
    assert.equal(
      (await plan(text, new FakeResolver(), { platform: arm64, platformExplicit: true })).imagePlatform
        .architecture,
      'arm64',
    );
  });

  it('adds labels given from outside, and SOURCE_DATE_EPOCH of a global ARG', async () => {
    const made = await plan('ARG SOURCE_DATE_EPOCH=5\nFROM a\nLABEL a=1 b=2\n', new FakeResolver(), {
      labels: { b: 'x', c: 'y' },
    });
    assert.deepEqual(made.config.Labels, { a: '1', b: 'x', c: 'y' });
    assert.equal(made.sourceDateEpoch, 5);
  });
});
