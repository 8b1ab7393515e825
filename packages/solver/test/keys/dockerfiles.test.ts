/**
 * Properties of keys over generated Dockerfiles, through the parser, the planner and the keys of a build: what changes a
 * step changes its key and those of all that stands on it, and nothing else does.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Digest, formatPlatform, sha256 } from '@tsbuild/core';
import { parseDockerfile } from '@tsbuild/parser';
import { lookUp, planBuild, type PlanOptions, type Selector, type SourceResolver } from '../../src/index.js';
import { FakeWorker, layer } from '../fakes.js';
import { Random } from './random.js';

const seeds = Array.from({ length: 60 }, (_, seed) => seed + 1);

/** An instruction as words that can be changed one by one. */
interface Instruction {
  /** Makes a step. */
  step: boolean;
  /** Its text; every `{n}` stands for a value. */
  form: string;
  values: string[];
}

const forms: [step: boolean, form: string][] = [
  [true, 'RUN make {0}'],
  [true, 'RUN ["tool", "{0}"]'],
  [true, 'RUN --network=none make {0}'],
  [true, 'RUN --mount=type=cache,target=/c{0},mode=07{1} make'],
  [true, 'RUN --mount=type=secret,id=s{0},target=/s,env=E{1} make'],
  [true, 'RUN --mount=type=ssh,id=s{0},uid={1} make'],
  [true, 'RUN --mount=type=tmpfs,target=/t{0},size={1} make'],
  [true, 'RUN --mount=type=bind,source=dir,target=/b{0} make {1}'],
  [true, 'RUN <<EOF\n#!/bin/tool\n{0}\nEOF'],
  [true, 'RUN cat <<EOF\n{0}\nEOF'],
  [true, 'COPY name{0} /to{1}'],
  [true, 'COPY --chown=1{0} --chmod=6{1} name /to'],
  [true, 'COPY --exclude=x{0} dir /to/{1}/'],
  [true, 'COPY --parents dir/./{0} /to'],
  [true, 'COPY --link name{0} /linked{1}'],
  [true, 'COPY <<EOF /to{0}\n{1}\nEOF'],
  [true, 'ADD --unpack=true name{0} /to'],
  [true, 'WORKDIR /w{0}'],
  [false, 'ENV E{0}=v{1}'],
  [false, 'ARG A{0}=v{1}'],
  [false, 'USER 1{0}'],
  [false, 'SHELL ["/bin/sh", "-{0}"]'],
];

/** They make no step, and no step sees them. */
const unseen = [
  'LABEL l=1',
  'CMD ["x"]',
  'ENTRYPOINT ["y"]',
  'EXPOSE 80',
  'VOLUME /v',
  'STOPSIGNAL 9',
  '# comment',
  '',
];

function generate(random: Random): Instruction[] {
  const count = 3 + random.below(6);
  const body = Array.from({ length: count }, (_, index): Instruction => {
    const [step, form] = random.pick(forms);
    const places = [...form.matchAll(/\{\d\}/g)].length;
    // No two instructions are equal: then swapping them would change nothing.
    // Octal, for modes.
    const values = Array.from({ length: places }, (_, place) => (8 * (index + 1) + place).toString(8));
    return { step, form, values };
  });
  return [...body, { step: true, form: 'RUN last {0}', values: ['0'] }];
}

const textOf = ({ form, values }: Instruction): string =>
  form.replace(/\{(\d)\}/g, (_, place: string) => values[Number(place)] ?? '');

interface Surroundings {
  lines?: readonly string[];
  options?: Partial<PlanOptions>;
  stage?: string;
  image?: string;
  /** Says what a source holds. */
  files?: (path: string) => string;
}

function resolverOf(image: string): SourceResolver {
  return {
    async resolveImage(reference) {
      const diffIds = [sha256(image)];
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
          os: 'linux',
          architecture: 'amd64',
          config: {},
          rootfs: { type: 'layers', diff_ids: diffIds },
        },
      };
    },
    async resolveNamedContext() {
      return undefined;
    },
  };
}

/** Keys of the steps in order. */
async function keysOf(instructions: readonly Instruction[], around: Surroundings = {}): Promise<Digest[]> {
  const { lines = instructions.map(textOf), options, stage = 'stage', image = 'image', files } = around;
  const amd64 = { os: 'linux', architecture: 'amd64' };
  const planOptions: PlanOptions = {
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
    ...options,
  };
  const text = `FROM base AS ${stage}\n${lines.join('\n')}\n`;
  const plan = await planBuild(parseDockerfile(text, 'Dockerfile'), planOptions, resolverOf(image));
  const worker = new FakeWorker();
  worker.contentDigest = async (_input, selector: Selector) => {
    const path = selector.type === 'copy' ? selector.action.source : selector.path;
    return sha256(files?.(path) ?? `files of ${path}`);
  };
  const keys = new Map<string, Digest>();
  await lookUp({
    plans: [plan],
    worker,
    presentImage: async () => ({ layers: [layer('image')] }),
    cache: {
      get: async (key) => ({ key, ref: { layers: [layer(key)] }, createdAt: '', description: '' }),
    },
    emit: () => {},
    signal: planOptions.signal,
    observer: { keyed: ({ vertex, key }) => void keys.set(vertex.id, key) },
  });
  return [...plan.vertices.keys()].flatMap((id) => keys.get(id) ?? []);
}

/** Runs a property for every seed; a failure names the seed and shows the Dockerfile. */
async function forAll(
  property: (random: Random, instructions: Instruction[]) => Promise<void>,
): Promise<void> {
  for (const seed of seeds) {
    const random = new Random(seed);
    const instructions = generate(random);
    try {
      await property(random, instructions);
    } catch (error) {
      throw new Error(`seed ${seed}:\n${instructions.map(textOf).join('\n')}`, { cause: error });
    }
  }
}

/** Index among the steps of the first one that an instruction can matter to. */
function firstStep(instructions: readonly Instruction[], index: number): number {
  return instructions.slice(0, index).filter(({ step }) => step).length;
}

/** COPY --link stands on nothing: what is below it changes only what is above it. */
const isLinked = ({ form }: Instruction) => form.includes('--link');
const seesVariables = ({ form }: Instruction) => form.startsWith('RUN');

describe('keys over generated Dockerfiles', () => {
  it('are the same for the same Dockerfile', async () =>
    forAll(async (_, instructions) => {
      const keys = await keysOf(instructions);
      assert.equal(keys.length, instructions.filter(({ step }) => step).length);
      assert.deepEqual(await keysOf(instructions), keys);
      assert.equal(new Set(keys).size, keys.length);
    }));

  it('change with any word of a step, there and above, and not below', async () =>
    forAll(async (random, instructions) => {
      const keys = await keysOf(instructions);
      for (const [index, instruction] of instructions.entries()) {
        if (!instruction.step || instruction.values.length === 0) continue;
        const place = random.below(instruction.values.length);
        const changed = instructions.map((each, at) =>
          at === index
            ? { ...each, values: each.values.map((value, i) => (i === place ? `${value}1` : value)) }
            : each,
        );
        const now = await keysOf(changed);
        const step = firstStep(instructions, index);
        const above = instructions.filter((each) => each.step).slice(step + 1);
        assert.deepEqual(now.slice(0, step), keys.slice(0, step));
        assert.notEqual(now[step], keys[step], textOf(instruction));
        for (const [offset, each] of above.entries())
          assert.equal(now[step + 1 + offset] === keys[step + 1 + offset], isLinked(each), textOf(each));
      }
    }));

  it('of RUN change with every ENV and ARG before it, of other steps only by what is below', async () =>
    forAll(async (_, instructions) => {
      const keys = await keysOf(instructions);
      for (const [index, instruction] of instructions.entries()) {
        if (!/^(?:ENV|ARG)/.test(instruction.form)) continue;
        const changed = instructions.map((each, at) =>
          at === index ? { ...each, values: [each.values[0] ?? '', 'other'] } : each,
        );
        const now = await keysOf(changed);
        let above: boolean = false;
        for (const [at, step] of instructions.filter((each) => each.step).entries()) {
          const affected = at >= firstStep(instructions, index);
          const sees: boolean = affected && seesVariables(step);
          const expected: boolean = sees || (above && !isLinked(step));
          assert.equal(now[at] !== keys[at], expected, `${textOf(instruction)} → ${textOf(step)}`);
          if (sees) above = true;
        }
      }
    }));

  it('change where steps are swapped, left out or put in between', async () =>
    forAll(async (random, instructions) => {
      const keys = await keysOf(instructions);
      const last = keys.at(-1);
      const steps = instructions.flatMap(({ step }, index) => (step && index > 0 ? [index] : []));
      const index = random.pick(steps);
      const before = instructions.slice(0, index);
      const [here, after] = [instructions[index] as Instruction, instructions.slice(index + 1)];
      const more: Instruction = { step: true, form: 'RUN more', values: [] };
      const others = [
        [...before, more, here, ...after],
        ...(after.length === 0 ? [] : [[...before, ...after]]),
        ...(before.at(-1)?.step
          ? [[...before.slice(0, -1), here, before.at(-1) as Instruction, ...after]]
          : []),
      ];
      for (const other of others)
        assert.notEqual((await keysOf(other)).at(-1), last, other.map(textOf).join('\n'));
    }));

  it('change with the base image, and with the files that come in', async () =>
    forAll(async (_, instructions) => {
      const steps = instructions.filter(({ step }) => step);
      const keys = await keysOf(instructions);
      const newer = await keysOf(instructions, { image: 'newer' });
      for (const [at, step] of steps.entries())
        assert.equal(newer[at] === keys[at], isLinked(step), textOf(step));
      const first = steps.findIndex(({ form }) => /^(?:COPY (?!<<)|ADD|.*type=bind)/.test(form));
      const files = await keysOf(instructions, { files: (path) => `other files of ${path}` });
      assert.deepEqual(
        files.slice(0, first < 0 ? undefined : first),
        keys.slice(0, first < 0 ? undefined : first),
      );
      if (first >= 0) assert.notEqual(files[first], keys[first]);
    }));

  const options: [name: string, Partial<PlanOptions>][] = [
    ['network', { network: 'host' }],
    ['shmSize', { shmSize: 1 }],
    ['cgroupParent', { cgroupParent: 'p' }],
    ['ulimits', { ulimits: [{ name: 'nofile', soft: 1, hard: 1 }] }],
    ['extraHosts', { extraHosts: [{ name: 'db', address: '1.2.3.4' }] }],
    ['platform', { platform: { os: 'linux', architecture: 'arm64' } }],
    ['a host name', { buildArgs: { BUILDKIT_SANDBOX_HOSTNAME: 'h' } }],
  ];
  for (const [name, change] of options)
    it(`of RUN change with the option ${name}`, async () =>
      forAll(async (_, instructions) => {
        const [keys, now] = [await keysOf(instructions), await keysOf(instructions, { options: change })];
        assert.notEqual(now.at(-1), keys.at(-1));
        const first = instructions.filter(({ step }) => step).findIndex(seesVariables);
        assert.deepEqual(now.slice(0, first), keys.slice(0, first));
      }));

  it('do not change with what no step sees', async () =>
    forAll(async (random, instructions) => {
      const keys = await keysOf(instructions);
      const texts = instructions.map(textOf);
      const lines = texts.flatMap((text) => [...(random.chance(2) ? [random.pick(unseen)] : []), text]);
      const same: [string, Surroundings][] = [
        ['instructions without steps, comments, blank lines', { lines }],
        ['the name of the stage', { stage: 'other' }],
        ['an undeclared build argument', { options: { buildArgs: { UNDECLARED: 'x' } } }],
        [
          'proxies',
          { options: { buildArgs: { HTTP_PROXY: 'http://p', https_proxy: 'http://q', NO_PROXY: 'x' } } },
        ],
        ['labels', { options: { labels: { a: 'b' } } }],
        ['the name space of cache mounts', { options: { buildArgs: { BUILDKIT_CACHE_MOUNT_NS: 'n' } } }],
        ['--no-cache', { options: { noCache: true } }],
        ['what is allowed', { options: { entitlements: ['network.host', 'security.insecure'] } }],
        ['whether the platform was asked for', { options: { platformExplicit: true } }],
      ];
      for (const [name, around] of same) assert.deepEqual(await keysOf(instructions, around), keys, name);
    }));

  it('do not change with the address of an extra host', async () =>
    forAll(async (_, instructions) => {
      const at = (address: string) => ({ options: { extraHosts: [{ name: 'db', address }] } });
      assert.deepEqual(await keysOf(instructions, at('1.1.1.1')), await keysOf(instructions, at('2.2.2.2')));
    }));

  it('a build argument counts where the stage declares it, from there on', async () =>
    forAll(async (random, instructions) => {
      const lines = instructions.map(textOf);
      const place = random.below(lines.length);
      const declared = [...lines.slice(0, place), 'ARG GIVEN', ...lines.slice(place)];
      const of = async (value?: string) =>
        await keysOf(instructions, {
          lines: declared,
          options: { buildArgs: value === undefined ? {} : { GIVEN: value } },
        });
      const [without, one, two] = [await of(), await of('1'), await of('2')];
      const first = firstStep(instructions, place);
      assert.deepEqual(one.slice(0, first), two.slice(0, first));
      assert.equal(new Set([without.at(-1), one.at(-1), two.at(-1)]).size, 3);
    }));

  it('a platform matters to RUN only', async () => {
    const copies: Instruction[] = [{ step: true, form: 'COPY a /b', values: [] }];
    const arm64 = { os: 'linux', architecture: 'arm64' };
    assert.equal(formatPlatform(arm64), 'linux/arm64');
    assert.deepEqual(await keysOf(copies, { options: { platform: arm64 } }), await keysOf(copies));
  });
});
