/** Caches that travel between tsbuild and docker buildx: what one wrote, the other finds. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Tsbuild } from '../support/command.js';
import { debianTar, registry } from '../support/env.js';
import { steps } from '../support/events.js';
import { writeTree } from '../support/files.js';
import { buildx } from './builders.js';

const work = mkdtempSync(join(tmpdir(), 'tsbuild-peers-cache-'));
const base = `${registry}/peers/cache-base:1`;
let count = 0;

before(async () => {
  const maker = new Tsbuild(join(work, 'maker'));
  await maker.ok(['import', debianTar, base]);
  await maker.ok(['push', base]);
});
after(() => rmSync(work, { recursive: true, force: true }));

/** Every kind of step; `unique` keeps what either builder did before out of it. */
const dockerfile = (unique: string) => `FROM ${base} AS build
ENV A="1 2"
ARG B=3
ENV A=4
WORKDIR /app
RUN echo "$A && <$B>" > made; echo ${unique} > unique
RUN --mount=type=cache,target=/c --mount=source=d,target=/s --mount=type=tmpfs,target=/t cat /s/x > read
FROM ${base}
COPY f d /c/
COPY d/* /w/
COPY --from=build /app/made /app/un* /o/
COPY --link --chown=1:2 f /l
COPY --chmod=0750 <<A <<B /h/
one
A
two
B
USER daemon
WORKDIR /home/${unique}
RUN <<E
echo ${unique} > fin
E
ADD --chown=daemon f /home/
RUN --mount=from=build,source=/app,target=/app cat /app/made
`;

/** Names of the instructions, without the place that a name begins with. */
const instructions = [
  'ADD --chown=daemon f /home/',
  'COPY --chmod=0750 <<A <<B /h/',
  'COPY --from=build /app/made /app/un* /o/',
  'COPY --link --chown=1:2 f /l',
  'COPY d/* /w/',
  'COPY f d /c/',
  'RUN --mount=from=build,source=/app,target=/app cat /app/made',
  'RUN --mount=type=cache,target=/c --mount=source=d,target=/s --mount=type=tmpfs,target=/t cat /s/x > read',
  'RUN <<E (echo UNIQUE > fin)',
  'RUN echo "4 && <3>" > made; echo UNIQUE > unique',
  'WORKDIR /app',
  'WORKDIR /home/UNIQUE',
];

interface Job {
  context: string;
  unique: string;
}

function job(): Job {
  const unique = `u${process.pid}x${count++}`;
  const context = writeTree(join(work, `context-${unique}`), {
    Dockerfile: dockerfile(unique),
    f: `${unique}\n`,
    'd/x': 'x\n',
    'd/e/y': 'y\n',
  });
  return { context, unique };
}

/** @returns the instructions that were found in a cache */
async function byDocker({ context, unique }: Job, options: string[]): Promise<string[]> {
  const outcome = await buildx.run({ context, dockerfile: join(context, 'Dockerfile'), options });
  assert.equal(outcome.status, 0, outcome.stderr);
  const names = new Map<string, string>();
  const cached = new Set<string>();
  for (const line of outcome.stderr.split('\n')) {
    const [, number = '', text = ''] = /^#(\d+) (.*)$/.exec(line) ?? [];
    if (isInstruction(text)) names.set(number, text);
    const name = names.get(number);
    if (text === 'CACHED' && name !== undefined) cached.add(plain(name, unique));
  }
  return [...cached].sort();
}

async function byTsbuild(tsbuild: Tsbuild, { context, unique }: Job, options: string[]): Promise<string[]> {
  const outcome = await tsbuild.ok(['build', '--network=host', '--progress=rawjson', ...options, context]);
  return steps(outcome)
    .cached.filter(isInstruction)
    .map((name) => plain(name, unique))
    .sort();
}

function isInstruction(name: string): boolean {
  return /^\[\S+ +\d+\/\d+\] (?!FROM)/.test(name);
}

function plain(name: string, unique: string): string {
  return name.replace(/^\[[^\]]*\] /, '').replaceAll(unique, 'UNIQUE');
}

const emptyStore = () => new Tsbuild(join(work, `store-${count++}`));

interface Way {
  name: string;
  to: string[];
  from: string;
}

function ways(): Way[] {
  const folder = join(work, `cache-${count++}`);
  const place = (name: string) => `${registry}/peers/cache:${name}-${count++}`;
  const [whole, results, image] = [place('whole'), place('results'), place('image')];
  return [
    { name: 'local', to: [`type=local,dest=${folder},mode=max`], from: `type=local,src=${folder}` },
    { name: 'registry', to: [`type=registry,ref=${whole},mode=max`], from: `type=registry,ref=${whole}` },
    {
      name: 'registry, only the layers of the result',
      to: [`type=registry,ref=${results}`],
      from: `type=registry,ref=${results}`,
    },
    { name: 'inline', to: ['type=inline', '-t', image, '--push'], from: `type=registry,ref=${image}` },
  ];
}

describe('what docker buildx wrote, tsbuild finds', () => {
  for (const { name, to, from } of ways()) {
    test(name, { timeout: 600_000 }, async () => {
      const wanted = job();
      await byDocker(wanted, ['--no-cache', '--cache-to', ...to]);
      const tsbuild = emptyStore();
      assert.deepEqual(await byTsbuild(tsbuild, wanted, ['--cache-from', from]), instructions);
      assert.deepEqual(await byTsbuild(tsbuild, wanted, ['--cache-from', from]), instructions);
    });
  }
});

describe('what tsbuild wrote, docker buildx finds', () => {
  for (const { name, to, from } of ways()) {
    test(name, { timeout: 600_000 }, async () => {
      const wanted = job();
      await byTsbuild(emptyStore(), wanted, ['--cache-to', ...to]);
      assert.deepEqual(await byDocker(wanted, ['--cache-from', from]), instructions);
    });
  }
});

test('there and back: docker buildx finds what tsbuild found in its cache', {
  timeout: 600_000,
}, async () => {
  const wanted = job();
  const [one, two] = [join(work, 'one'), join(work, 'two')];
  await byDocker(wanted, ['--no-cache', '--cache-to', `type=local,dest=${one},mode=max`]);
  const options = ['--cache-from', `type=local,src=${one}`, '--cache-to', `type=local,dest=${two},mode=max`];
  assert.deepEqual(await byTsbuild(emptyStore(), wanted, options), instructions);
  assert.deepEqual(await byDocker(wanted, ['--cache-from', `type=local,src=${two}`]), instructions);
});

test('a changed file misses from where it is used', { timeout: 600_000 }, async () => {
  const wanted = job();
  const folder = join(work, 'changed');
  await byDocker(wanted, ['--no-cache', '--cache-to', `type=local,dest=${folder},mode=max`]);
  writeTree(wanted.context, { 'd/e/y': 'other\n' });
  const cached = await byTsbuild(emptyStore(), wanted, ['--cache-from', `type=local,src=${folder}`]);
  assert.deepEqual(cached, [
    'COPY --link --chown=1:2 f /l',
    'RUN echo "4 && <3>" > made; echo UNIQUE > unique',
    'WORKDIR /app',
  ]);
});
