/**
 * Builds that share a cache through a registry, as jobs of a CI system do: each begins on a machine without anything, and
 * ends with the image pushed. Times and bytes to and from the registry, beside docker buildx and buildah.
 *
 *   npm run bench -- --case shared-cache [--rounds N]
 */
import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { command, type Outcome, Tsbuild } from '../support/command.js';
import { startCountingProxy } from '../support/counting-proxy.js';
import { debianTar, registry } from '../support/env.js';
import { writeTree } from '../support/files.js';

const { values } = parseArgs({
  options: { case: { type: 'string' }, rounds: { type: 'string', default: '3' } },
});
const rounds = Number(values.rounds);
const work = mkdtempSync(join(tmpdir(), 'tsbuild-bench-'));
const state = process.env['PEERS_STATE'] ?? join(process.env['TMPDIR'] ?? '/tmp', 'tsbuild-peers');
const peer = join(state, 'peer');
const docker = ['docker', '-H', `unix://${join(state, 'docker.sock')}`];
const proxy = await startCountingProxy(registry);

interface Machine {
  name: string;
  /** Forgets images and caches. */
  empty(): Promise<void>;
  /** Builds and pushes; all steps are kept in the shared cache. */
  build(context: string, image: string, cache: { from?: string; to?: string }): Promise<Outcome>;
}

const machines: Machine[] = [
  {
    name: 'tsbuild',
    async empty() {
      rmSync(join(work, 'store'), { recursive: true, force: true });
    },
    build: (context, image, { from, to }) =>
      new Tsbuild(join(work, 'store')).run([
        'build',
        ...['-t', image, '-o', 'type=registry'],
        ...(from === undefined ? [] : ['--cache-from', `type=registry,ref=${from}`]),
        ...(to === undefined ? [] : ['--cache-to', `type=registry,ref=${to},mode=max`]),
        context,
      ]),
  },
  {
    name: 'docker buildx',
    async empty() {
      await must(command(peer, [...docker, 'system', 'prune', '--all', '--force']));
      await must(command(peer, [...docker, 'buildx', 'prune', '--all', '--force']));
    },
    build: (context, image, { from, to }) =>
      command(peer, [
        ...[...docker, 'buildx', 'build', '--network', 'host', '--provenance=false'],
        ...['-t', image, '-o', 'type=registry'],
        ...(from === undefined ? [] : ['--cache-from', `type=registry,ref=${from}`]),
        ...(to === undefined ? [] : ['--cache-to', `type=registry,ref=${to},mode=max`]),
        context,
      ]),
  },
  {
    name: 'buildah',
    async empty() {
      await must(command(peer, ['buildah', 'rmi', '--all', '--force']));
    },
    async build(context, image, { from, to }) {
      const repository = (ref: string) => ref.slice(0, ref.lastIndexOf(':'));
      const built = await command(peer, [
        ...['buildah', 'build', '--isolation', 'oci', '--runtime', 'runc', '--layers'],
        ...['--tls-verify=false', '--network', 'host', '-t', image],
        ...(from === undefined ? [] : ['--cache-from', repository(from)]),
        ...(to === undefined ? [] : ['--cache-to', repository(to)]),
        context,
      ]);
      if (built.status !== 0) return built;
      const pushed = await command(peer, ['buildah', 'push', '--tls-verify=false', image]);
      return { ...pushed, seconds: built.seconds + pushed.seconds };
    },
  },
];

async function must(running: Promise<Outcome>): Promise<Outcome> {
  const outcome = await running;
  if (outcome.status !== 0) throw new Error(outcome.stderr.slice(-4000));
  return outcome;
}

/** 60 MB that do not compress in a step, 600 files of dependencies, 20 of sources. */
function prepare(base: string): string {
  const context = join(work, 'context');
  for (const folder of ['deps', 'src']) mkdirSync(join(context, folder), { recursive: true });
  for (let file = 0; file < 600; file++) writeFileSync(join(context, `deps/${file}.js`), randomBytes(20_000));
  for (let file = 0; file < 20; file++) writeFileSync(join(context, `src/${file}.js`), `// ${file}\n`);
  return writeTree(context, {
    Dockerfile: `FROM ${base} AS tools
RUN head -c 60000000 /dev/urandom > /tools && for i in $(seq 2000); do echo $i > /tmp/$i; done
FROM ${base}
COPY --from=tools /tools /usr/local/lib/tools
COPY deps /app/deps
COPY src /app/src
RUN cat /app/src/* | sha256sum > /app/sum
`,
  });
}

interface Measured {
  seconds: number[];
  sent: number[];
  fetched: number[];
}

const median = (numbers: readonly number[]) =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
const megabytes = (bytes: readonly number[]) => `${(median(bytes) / 1e6).toFixed(1)} MB`;

try {
  const base = `${proxy.host}/bench/debian:bookworm-slim`;
  const bases = new Tsbuild(join(work, 'bases'));
  await bases.ok(['import', debianTar, base]);
  await bases.ok(['push', base]);
  const context = prepare(base);
  const results = new Map<string, Map<string, Measured>>();
  const measure = async (run: string, machine: Machine, work: Promise<Outcome>) => {
    const { seconds } = await must(work);
    const { sent, fetched } = proxy.take();
    const ofRun = results.get(run) ?? new Map<string, Measured>();
    results.set(run, ofRun);
    const measured = ofRun.get(machine.name) ?? { seconds: [], sent: [], fetched: [] };
    ofRun.set(machine.name, measured);
    measured.seconds.push(seconds);
    measured.sent.push(sent);
    measured.fetched.push(fetched);
  };
  for (let round = 0; round < rounds; round++) {
    for (const machine of machines) {
      const repository = `${proxy.host}/bench/${machine.name.replace(' ', '-')}-${round}`;
      const cache = `${repository}-cache:all`;
      const image = (tag: string) => `${repository}:${tag}`;
      await machine.empty();
      proxy.take();
      await measure('first build', machine, machine.build(context, image('first'), { to: cache }));
      await machine.empty();
      proxy.take();
      await measure('nothing changed', machine, machine.build(context, image('again'), { from: cache }));
      await machine.empty();
      proxy.take();
      appendFileSync(join(context, 'src/7.js'), `// ${round} ${machine.name}\n`);
      const changed = machine.build(context, image('changed'), { from: cache, to: cache });
      await measure('a source changed', machine, changed);
    }
  }
  console.log(`each run on a machine without images and caches; median of ${rounds} rounds in turn\n`);
  console.log('| run | builder | seconds (min–max) | sent | fetched | ratio of seconds to tsbuild |');
  console.log('| --- | --- | --- | --- | --- | --- |');
  for (const [run, byName] of results) {
    const ours = median(byName.get('tsbuild')?.seconds ?? []);
    for (const [name, { seconds, sent, fetched }] of byName) {
      const span = `${Math.min(...seconds).toFixed(2)}–${Math.max(...seconds).toFixed(2)}`;
      const ratio = (median(seconds) / ours).toFixed(2);
      console.log(
        `| ${run} | ${name} | ${median(seconds).toFixed(2)} (${span}) | ${megabytes(sent)} | ${megabytes(fetched)} | ${ratio} |`,
      );
    }
  }
} finally {
  await proxy.stop();
  rmSync(work, { recursive: true, force: true });
}
