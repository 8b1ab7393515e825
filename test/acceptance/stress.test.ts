/**
 * Many processes on one store for a while: building the same and different things, pruning, listing, checking, killed at
 * random. Whatever they did, results are right, the store is sound, and nothing is left.
 *
 * TSBUILD_STRESS_SECONDS (default 30) and TSBUILD_STRESS_SEED choose for how long and what.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxImage } from '../support/busybox.js';
import { type Outcome, Tsbuild } from '../support/command.js';
import { imageName, workFolder } from '../support/env.js';
import { writeTree } from '../support/files.js';
import { nothingLeft } from '../support/leftovers.js';

const seconds = Number(process.env['TSBUILD_STRESS_SECONDS'] ?? 30);
const seed = Number(process.env['TSBUILD_STRESS_SEED'] || Date.now() % 1_000_000);
const processes = 30;
/** Different images that are built; each by several processes at once. */
const recipes = 8;

/** Numbers below `limit`, the same for the same seed (mulberry32). */
function random(start: number): (limit: number) => number {
  let state = start >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

/** A Dockerfile whose result is known: two steps that all have in common, and some that few have. */
function recipe(base: string, number: number): Record<string, string> {
  return {
    own: `own ${number % 4}\n`,
    Dockerfile: `FROM ${base} AS common
RUN echo common > /common && i=0; while [ $i -lt 50 ]; do echo $i > /file-$i; i=$((i+1)); done
RUN --mount=type=cache,id=shared,target=/cache echo x >> /cache/log; cat /common > /second
FROM common AS some
RUN echo group ${number % 3} > /group; dd if=/dev/zero of=/zeros bs=64k count=8 2>/dev/null
FROM ${base}
COPY --from=common /common /second /
COPY --from=some /group /group
COPY own /own
RUN --mount=type=cache,id=locked-${number % 2},target=/cache,sharing=locked cat /common /second /group /own > /result; test -f /cache/x || echo x > /cache/x
`,
  };
}

const resultOf = (number: number) => `common\ncommon\ngroup ${number % 3}\nown ${number % 4}\n`;

describe(`${processes} processes on one store for ${seconds} s, seed ${seed}`, () => {
  let work: string;
  let tsbuild: Tsbuild;
  const contexts: string[] = [];
  before(async () => {
    work = workFolder('stress');
    tsbuild = new Tsbuild(join(work, 'store'));
    const base = imageName('stress-base:1');
    await tsbuild.ok(['tag', await busyboxImage(tsbuild, work), base]);
    await tsbuild.ok(['push', base]);
    for (let number = 0; number < recipes; number++)
      contexts.push(writeTree(join(work, `context-${number}`), recipe(base, number)));
  });
  after(async () => {
    await tsbuild.run(['prune', '--all', '--force']);
  });

  test('every result is right, the store is sound, nothing is left', async () => {
    const end = Date.now() + seconds * 1000;
    const counts: Record<string, number> = {};
    const faults: string[] = [];
    const worker = async (index: number) => {
      const pick = random(seed + index * 7919);
      while (Date.now() < end && faults.length === 0) {
        const number = pick(recipes);
        const choice = pick(100);
        const killAfter = pick(3) === 0 ? 30 + pick(1500) : undefined;
        const [verb, args] = choose(choice, number, pick);
        const outcome = await run(args, killAfter);
        const how = outcome.signal === 'SIGKILL' ? 'killed' : outcome.status === 0 ? 'done' : 'failed';
        counts[`${verb} ${how}`] = (counts[`${verb} ${how}`] ?? 0) + 1;
        if (how === 'failed') faults.push(`${args.join(' ')}\n${outcome.stdout}${outcome.stderr}`);
        if (verb === 'build' && how === 'done' && pick(4) === 0) await check(number);
      }
    };

    const choose = (choice: number, number: number, pick: (limit: number) => number): [string, string[]] => {
      const context = contexts[number] ?? '';
      if (choice < 76) {
        const flags = [
          ...(pick(10) === 0 ? ['--no-cache'] : []),
          ...(pick(10) === 0 ? [`--cache-max-size=${4 + pick(8)}MB`] : []),
          ...(pick(8) === 0 ? ['-o', `type=oci,dest=/dev/null`] : ['-t', `stress:${number}`]),
        ];
        return ['build', ['build', '--progress=plain', ...flags, context]];
      }
      if (choice < 90) {
        const filters = [[], ['--cache-max-size=3MB'], ['--filter=type=mount'], ['--filter=type=step']][
          pick(4)
        ];
        return ['prune', ['prune', '--force', ...(filters ?? [])]];
      }
      if (choice < 95) return ['du', ['du', '--verbose']];
      return ['fsck', ['fsck']];
    };

    const run = (args: string[], killAfter: number | undefined): Promise<Outcome> => {
      let timer: NodeJS.Timeout | undefined;
      const outcome = tsbuild.run(args, {
        limit: 300,
        started(child) {
          if (killAfter !== undefined) timer = setTimeout(() => child.kill('SIGKILL'), killAfter);
        },
      });
      return outcome.finally(() => clearTimeout(timer));
    };

    /** The image that a name has is one that was built from its recipe, whoever built it last. */
    const check = async (number: number) => {
      const ran = await tsbuild.run(['run', `stress:${number}`, 'cat', '/result']);
      counts['results'] = (counts['results'] ?? 0) + 1;
      if (ran.stdout !== resultOf(number)) faults.push(`result ${number}: ${ran.stdout}${ran.stderr}`);
    };

    await Promise.all(Array.from({ length: processes }, (_, index) => worker(index)));
    const told = JSON.stringify(counts);
    assert.deepEqual(faults, [], told);
    await sleep(200);
    await nothingLeft(tsbuild.root);

    const before = await tsbuild.run(['fsck']);
    assert.equal(before.status, 0, `${before.stdout}${before.stderr}${told}`);
    for (const [number, context] of contexts.entries()) {
      await tsbuild.ok(['build', '-t', `stress:${number}`, context]);
      const ran = await tsbuild.ok(['run', `stress:${number}`, 'cat', '/result']);
      assert.equal(ran.stdout, resultOf(number));
    }
    await tsbuild.ok(['prune', '--force']);
    const last = await tsbuild.ok(['fsck']);
    assert.match(last.stdout, /^no fault; 0 leftovers/m, `${last.stdout}${told}`);
    console.log(told);
  });
});
