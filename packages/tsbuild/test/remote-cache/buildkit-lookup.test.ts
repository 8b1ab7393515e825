/** Steps written as BuildKit's records are found in them again, by names and by content. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Digest, sha256 } from '@tsbuild/core';
import { parseDockerfile } from '@tsbuild/parser';
import { type BuildPlan, planBuild, type SourceResolver, type VertexId } from '@tsbuild/solver';
import {
  type BuildkitConfig,
  decodeBuildkitConfig,
  encodeBuildkitConfig,
  layersOf,
} from '../../src/remote-cache/buildkit-config.js';
import { type BuildkitContentOf, BuildkitLookup } from '../../src/remote-cache/buildkit-lookup.js';
import { addSteps, BuildkitRecords } from '../../src/remote-cache/buildkit-records.js';

const amd64 = { os: 'linux', architecture: 'amd64' };
const createdAt = '2026-01-02T03:04:05Z';

const resolver: SourceResolver = {
  async resolveImage(reference, platform) {
    const diffIds = [sha256(reference)];
    return {
      op: {
        kind: 'image',
        reference,
        manifest: { mediaType: '', digest: sha256(`manifest of ${reference}`), size: 1 },
        named: sha256(`index of ${reference}`),
        diffIds,
        layers: [],
        origin: { type: 'registry' },
      },
      config: { ...platform, config: {}, rootfs: { type: 'layers', diff_ids: diffIds } },
    };
  },
  resolveNamedContext: async () => undefined,
};

function planOf(dockerfile: string): Promise<BuildPlan> {
  return planBuild(
    parseDockerfile(dockerfile, 'Dockerfile'),
    {
      buildArgs: {},
      labels: {},
      platform: amd64,
      platformExplicit: false,
      buildPlatform: amd64,
      noCache: false,
      entitlements: [],
      extraHosts: [],
      ulimits: [],
      namedContexts: [],
      signal: new AbortController().signal,
    },
    resolver,
  );
}

const dockerfile = (build = 'make') => `FROM base AS build
WORKDIR /w
RUN ${build}
FROM base
COPY f /f
COPY --link g /g
COPY --from=build /w/out /out
RUN --mount=target=/s,source=d last
`;

function stepsOf(plan: BuildPlan) {
  return [...plan.vertices.values()].filter(({ op }) => op.kind === 'run' || op.kind === 'file');
}

/** Content by what is selected; a stage has some only where it is told. */
function contents(of: Record<string, string>, stages = true): (plan: BuildPlan) => BuildkitContentOf {
  return (plan) => async (from, selectors) => {
    const isStage = plan.vertices.get(from)?.op.kind !== 'local';
    if (isStage && !stages) return undefined;
    return sha256(selectors.map(({ path }) => of[path] ?? path).join());
  };
}

const blobOf = (name: string) => sha256(`blob of ${name}`);
const plainName = (name: string) => name.replace(/^\[[^\]]*\] /, '');

/** As it travels. */
async function exported(plan: BuildPlan, contentOf: BuildkitContentOf): Promise<BuildkitConfig> {
  const records = new BuildkitRecords();
  const results = new Map<VertexId, { blobs: Digest[]; createdAt: string }>();
  for (const { id, name } of stepsOf(plan)) results.set(id, { blobs: [blobOf(plainName(name))], createdAt });
  await addSteps(records, plan.vertices, results, contentOf);
  return decodeBuildkitConfig(encodeBuildkitConfig(records.config));
}

/** Names of the steps that are found, each with its own layer. */
async function found(
  config: BuildkitConfig,
  plan: BuildPlan,
  contentOf: BuildkitContentOf,
): Promise<string[]> {
  const lookup = new BuildkitLookup(config, plan.vertices);
  const names: string[] = [];
  for (const { id, name } of stepsOf(plan)) {
    const [result] = await lookup.results(id, contentOf);
    if (result === undefined) continue;
    const blobs = layersOf(config, result).map(({ blob }) => blob);
    assert.deepEqual(blobs, [blobOf(plainName(name))]);
    names.push(plainName(name));
  }
  return names.sort();
}

const all = [
  'COPY --from=build /w/out /out',
  'COPY --link g /g',
  'COPY f /f',
  'RUN --mount=target=/s,source=d last',
  'RUN make',
  'WORKDIR /w',
];

describe('steps in a config of BuildKit’s', () => {
  it('are all found', async () => {
    const plan = await planOf(dockerfile());
    const contentOf = contents({})(plan);
    assert.deepEqual(await found(await exported(plan, contentOf), plan, contentOf), all);
  });

  it('are found by the names of stages whose files nobody has', async () => {
    const plan = await planOf(dockerfile());
    const config = await exported(plan, contents({}, false)(plan));
    assert.deepEqual(await found(config, plan, contents({}, false)(plan)), all);
  });

  it('are missed where content changed, and where they stand on that', async () => {
    const plan = await planOf(dockerfile());
    const config = await exported(plan, contents({})(plan));
    const cases: [string, string[]][] = [
      ['/f', ['COPY --link g /g', 'RUN make', 'WORKDIR /w']],
      ['/g', ['COPY f /f', 'RUN make', 'WORKDIR /w']],
      ['/d', all.filter((name) => !name.includes('last'))],
    ];
    for (const [path, names] of cases) {
      assert.deepEqual(await found(config, plan, contents({ [path]: 'changed' })(plan)), names, path);
    }
  });

  it('are found by content where the stage has another name', async () => {
    const before = await planOf(dockerfile());
    const config = await exported(before, contents({})(before));
    const after = await planOf(dockerfile('make all'));
    const names = all.filter((name) => name !== 'RUN make');
    assert.deepEqual(await found(config, after, contents({})(after)), names);
    const others = names.filter((name) => !/--from|last/.test(name));
    assert.deepEqual(await found(config, after, contents({ '/w/out': 'other' })(after)), others);
    assert.deepEqual(await found(config, after, contents({}, false)(after)), others);
  });

  it('are found once the content is known that was not at first', async () => {
    const before = await planOf(dockerfile());
    const config = await exported(before, contents({})(before));
    const after = await planOf(dockerfile('make all'));
    const lookup = new BuildkitLookup(config, after.vertices);
    const last = after.result;
    assert.deepEqual(await lookup.results(last, contents({}, false)(after)), []);
    assert.equal((await lookup.results(last, contents({})(after))).length, 1);
  });

  it('with an image that was pushed again with the same layers are found by these', async () => {
    const plan = await planOf('FROM base\nRUN make\n');
    const config = await exported(plan, contents({})(plan));
    const again = new Map(plan.vertices);
    for (const [id, vertex] of again) {
      if (vertex.op.kind === 'image')
        again.set(id, { ...vertex, op: { ...vertex.op, named: sha256('new') } });
    }
    const results = await new BuildkitLookup(config, again).results(plan.result, contents({})(plan));
    assert.equal(results.length, 1);
  });

  it('come with their newest result first', async () => {
    const plan = await planOf('FROM base\nRUN make\n');
    const config = await exported(plan, contents({})(plan));
    const later = '2026-02-02T03:04:05Z';
    for (const record of config.records) {
      record.results.push(...record.results.map((result) => ({ ...result, createdAt: later })));
    }
    const results = await new BuildkitLookup(config, plan.vertices).results(plan.result, contents({})(plan));
    assert.deepEqual(
      results.map((result) => result.createdAt),
      [later, createdAt],
    );
  });

  it('are looked for in time where records link to each other', async () => {
    const plan = await planOf(dockerfile());
    const config = await exported(plan, contents({})(plan));
    for (const record of config.records) {
      for (const links of record.inputs) {
        links.push(...config.records.map((_, at) => ({ record: at, selector: '' })));
      }
    }
    assert.deepEqual(await found(config, plan, contents({})(plan)), all);
  });
});
