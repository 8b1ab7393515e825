/**
 * Times tsbuild beside docker buildx and buildah: the same Dockerfile, the same base in each one's store, the image kept in
 * each one's store. Builders take turns within each round, so that all see the same machine.
 *
 *   npm run bench [-- [--case NAME]… [--rounds N] [--json FILE]]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Outcome, Tsbuild } from '../support/command.js';
import { bin, debianTar, registry } from '../support/env.js';
import { nodeBase } from '../support/node.js';
import { type Builder, buildah, buildx, freshFolder, tsbuild } from '../peers/builders.js';
import type { Bases } from '../peers/cases.js';
import { type BenchCase, cases } from './cases.js';

interface Row {
  case: string;
  run: string;
  /** Seconds of each round, by builder. */
  seconds: Record<string, number[]>;
}

const { values } = parseArgs({
  options: {
    case: { type: 'string', multiple: true },
    rounds: { type: 'string', default: '3' },
    json: { type: 'string' },
  },
});
const rounds = Number(values.rounds);
const repository = process.env['TSBUILD_TEST_REPO'] ?? '';
const work = mkdtempSync(join(tmpdir(), 'tsbuild-bench-'));
const builders: Builder[] = [tsbuild(bin, join(work, 'store')), buildx, buildah];

async function measure(item: BenchCase, bases: Bases): Promise<Row[]> {
  const context = freshFolder(join(work, 'context'));
  item.prepare(context, bases, repository);
  const job = { context, dockerfile: join(context, 'Dockerfile'), options: item.options?.(bases) ?? [] };
  // Brings the base into each store, and what the runs from the cache need.
  for (const builder of builders) must(builder, await builder.tag(job, `bench-${item.name}`, true));
  const rows: Row[] = [];
  for (const run of item.runs) {
    const seconds: Row['seconds'] = Object.fromEntries(builders.map(({ name }) => [name, []]));
    for (let round = 0; round < rounds; round++) {
      for (const builder of inTurn(round)) {
        run.change?.(context);
        const outcome = must(builder, await builder.tag(job, `bench-${item.name}`, run.cold));
        seconds[builder.name]?.push(outcome.seconds);
      }
    }
    rows.push({ case: item.name, run: run.name, seconds });
    print(rows.slice(-1));
  }
  return rows;
}

/** Another one begins in each round. */
function inTurn(round: number): Builder[] {
  return builders.map((_, index) => builders[(index + round) % builders.length] as Builder);
}

function must(builder: Builder, outcome: Outcome): Outcome {
  if (outcome.status !== 0) throw new Error(`${builder.name} failed:\n${outcome.stderr.slice(-4000)}`);
  return outcome;
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** `median (min–max)` for each builder, and tsbuild's median as a ratio to each peer's. */
function print(rows: readonly Row[]): void {
  for (const { case: name, run, seconds } of rows) {
    const cells = Object.values(seconds).map(
      (list) =>
        `${median(list).toFixed(2)} s (${Math.min(...list).toFixed(2)}–${Math.max(...list).toFixed(2)})`,
    );
    const [ours = [], ...peers] = Object.values(seconds);
    const ratios = peers.map((theirs) => (median(ours) / median(theirs)).toFixed(2));
    console.log(`| ${[name, run, ...cells, ...ratios].join(' | ')} |`);
  }
}

function heading(): void {
  const names = builders.map(({ name }) => name);
  const columns = ['case', 'run', ...names, ...names.slice(1).map((name) => `ratio to ${name}`)];
  console.log(
    `${cpus().length} × ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}`,
  );
  console.log(`${rounds} rounds in turn; seconds: median (min–max)\n`);
  console.log(`| ${columns.join(' | ')} |\n| ${columns.map(() => '---').join(' | ')} |`);
}

try {
  const bases: Bases = {
    debian: `${registry}/bench/debian:bookworm-slim`,
    node: `${registry}/bench/node:20`,
  };
  const command = new Tsbuild(join(work, 'bases'));
  await command.ok(['import', debianTar, bases.debian]);
  await nodeBase(command, bases.debian, work, bases.node);
  for (const name of Object.values(bases)) await command.ok(['push', name]);
  heading();
  const rows: Row[] = [];
  for (const item of cases.filter(({ name }) => values.case?.includes(name) ?? true))
    rows.push(...(await measure(item, bases)));
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(rows, null, 2)}\n`);
} finally {
  rmSync(work, { recursive: true, force: true });
}
