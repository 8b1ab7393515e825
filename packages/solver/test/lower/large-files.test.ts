/** Dockerfiles of thousands of instructions and stages are planned in linear time and whatever their depth. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDockerfile } from '@tsbuild/parser';
import { planBuild, type PlanOptions, type SourceResolver, tryPlan } from '../../src/index.js';

const platform = { os: 'linux', architecture: 'amd64' };
const options: PlanOptions = {
  buildArgs: {},
  labels: {},
  platform,
  platformExplicit: false,
  buildPlatform: platform,
  noCache: false,
  entitlements: [],
  extraHosts: [],
  ulimits: [],
  namedContexts: [],
  signal: new AbortController().signal,
};
const resolver: SourceResolver = {
  resolveImage: () => Promise.reject(new Error('no image is needed')),
  resolveNamedContext: () => Promise.resolve(undefined),
};

const lines = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => `${line(index)}\n`).join('');
const oneLine = (keyword: string, count: number): string =>
  `${keyword} ${lines(count, (n) => `N${n}=${n} \\`)} LAST=1\n`;

// Far more than anybody writes, so that anything quadratic takes minutes.
const cases: [what: string, text: string, vertices: number][] = [
  ['RUN lines', lines(10_000, (n) => `RUN echo ${n}`), 10_001],
  ['COPY lines', lines(10_000, (n) => `COPY f /${n}`), 10_002],
  ['ENV lines', lines(30_000, (n) => `ENV N${n}=${n}`), 1],
  ['ENV lines with missing variables', lines(20_000, (n) => `ENV N${n}=$M${n}`), 1],
  ['ARG lines', lines(30_000, (n) => `ARG N${n}=${n}`), 1],
  ['LABEL lines', lines(30_000, (n) => `LABEL n${n}=${n}`), 1],
  ['VOLUME lines', lines(30_000, (n) => `VOLUME /${n}`), 1],
  ['EXPOSE lines', lines(30_000, (n) => `EXPOSE ${n}`), 1],
  ['ONBUILD lines', lines(30_000, (n) => `ONBUILD RUN ${n}`), 1],
  ['one ENV', oneLine('ENV', 50_000), 1],
  ['one ARG', oneLine('ARG', 50_000), 1],
  ['one LABEL', oneLine('LABEL', 50_000), 1],
  ['stages that nobody needs', `${lines(10_000, (n) => `FROM scratch AS s${n}`)}FROM scratch\n`, 1],
  ['stages on each other', lines(3000, (n) => `FROM ${n === 0 ? 'scratch' : `s${n - 1}`} AS s${n}`), 1],
  [
    'stages that copy from each other',
    lines(3000, (n) => `FROM scratch AS s${n}\nCOPY ${n === 0 ? 'f' : `--from=s${n - 1} /f`} /f`),
    3002,
  ],
  [
    'a stage that copies from all others',
    `${lines(2000, (n) => `FROM scratch AS s${n}\nCOPY f /${n}`)}FROM scratch\n${lines(2000, (n) => `COPY --from=s${n} /${n} /`)}`,
    4002,
  ],
];

for (const [what, text, vertices] of cases) {
  test(`${what} take linear time`, async () => {
    const file = parseDockerfile(text.startsWith('FROM') ? text : `FROM scratch\n${text}`, 'Dockerfile');
    const before = process.cpuUsage();
    assert.equal((await planBuild(file, options, resolver)).vertices.size, vertices);
    await tryPlan(file, options, resolver);
    // Processor time, for a busy machine.
    const { user } = process.cpuUsage(before);
    assert.ok(user < 20e6, `${user} µs`);
  });
}

test('what a stage adds is not in the stage it is built on', async () => {
  const file = parseDockerfile(
    'FROM scratch AS a\nENV A=1\nARG X=1\nLABEL a=1\nVOLUME /a\nEXPOSE 1\n' +
      'FROM a AS b\nENV A=2 B=2\nARG Y=2\nLABEL b=2\nVOLUME /b\nEXPOSE 2\nCOPY f /\n' +
      'FROM a\nCOPY --from=b /f /\nRUN c\nLABEL __proto__=c\n',
    'Dockerfile',
  );
  const { config, vertices, result } = await planBuild(file, options, resolver);
  assert.deepEqual(config.Env?.slice(1), ['A=1']);
  assert.deepEqual(Object.entries(config.Labels ?? {}), [
    ['a', '1'],
    ['__proto__', 'c'],
  ]);
  assert.deepEqual(config.Volumes, { '/a': {} });
  assert.deepEqual(Object.keys(config.ExposedPorts ?? {}), ['1/tcp']);
  const op = vertices.get(result)?.op;
  assert.deepEqual(op?.kind === 'run' && op.env.filter(([name]) => name !== 'PATH'), [
    ['X', '1'],
    ['A', '1'],
  ]);
});
