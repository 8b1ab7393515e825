/** Many builds at once on one store. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Tsbuild } from '../support/command.js';
import { workFolder } from '../support/env.js';
import { busyboxImage } from '../support/busybox.js';
import { steps } from '../support/events.js';
import { writeTree } from '../support/files.js';

test('20 builds at once on one store are all right, and share the equal steps', async () => {
  const work = workFolder('parallel');
  const tsbuild = new Tsbuild(join(work, 'store'));
  const base = await busyboxImage(tsbuild, work);
  const numbers = Array.from({ length: 20 }, (_, index) => index);
  const builds = numbers.map(async (number) => {
    const context = writeTree(join(work, `context-${number}`), {
      own: `${number}\n`,
      Dockerfile: `FROM ${base}
RUN sleep 0.2; cat /proc/sys/kernel/random/uuid > /shared
COPY own /own
RUN cat /own /own > /twice
`,
    });
    return tsbuild.ok(['build', '--progress=rawjson', '-t', `parallel:${number}`, context]);
  });
  const outcomes = await Promise.all(builds);
  const shared = outcomes.flatMap((outcome) => steps(outcome).ran.filter((name) => name.includes('uuid')));
  assert.equal(shared.length, 1, 'the step all builds have in common ran once');

  const seen = new Set<string>();
  for (const number of numbers) {
    const ran = await tsbuild.ok(['run', `parallel:${number}`, 'cat', '/twice', '/shared']);
    const [first, second, uuid] = ran.stdout.split('\n');
    assert.deepEqual([first, second], [`${number}`, `${number}`]);
    seen.add(uuid ?? '');
  }
  assert.equal(seen.size, 1);
});
