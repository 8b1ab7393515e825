/** kill -9 in the middle of each phase, then an ordinary build: right result, nothing left. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { busyboxImage } from '../support/busybox.js';
import { Tsbuild } from '../support/command.js';
import { pushDebian } from '../support/debian.js';
import { imageName, workFolder } from '../support/env.js';
import { writeTree } from '../support/files.js';
import { nothingLeft } from '../support/leftovers.js';

/** Text of the rawjson stream that tells that a phase has begun; the kill follows a little later. */
interface Phase {
  name: string;
  begins: RegExp;
  delayMs: number;
  dockerfile(base: string, debian: string): string;
  args(): string[];
}

const work500 =
  'RUN mkdir /many && i=0; while [ $i -lt 3000 ]; do echo $i > /many/$i; i=$((i+1)); done; dd if=/dev/urandom of=/big bs=1M count=60 2>/dev/null; echo written';
const phases: Phase[] = [
  {
    name: 'pull',
    begins: /"action":"(downloading|unpacking)"/,
    delayMs: 20,
    dockerfile: (_base, debian) => `FROM ${debian}\nRUN echo done > /result\n`,
    args: () => [],
  },
  {
    name: 'RUN',
    begins: /started-step/,
    delayMs: 100,
    dockerfile: (base) => `FROM ${base}\nRUN echo started-step; sleep 3; echo done > /result\n`,
    args: () => [],
  },
  {
    name: 'commit',
    begins: /"text":"written/,
    delayMs: 30,
    dockerfile: (base) => `FROM ${base}\n${work500}\nRUN echo done > /result\n`,
    args: () => [],
  },
  {
    name: 'push',
    begins: /"action":"(uploading|compressing)"/,
    delayMs: 10,
    dockerfile: (base) => `FROM ${base}\n${work500}\nRUN echo done > /result\n`,
    args: () => ['--push'],
  },
];

describe('after kill -9', () => {
  let tsbuild: Tsbuild;
  let base: string;
  let debian: string;
  let work: string;
  before(async () => {
    work = workFolder('crash');
    tsbuild = new Tsbuild(join(work, 'store'));
    debian = await pushDebian(tsbuild);
    base = await busyboxImage(tsbuild, work);
  });
  after(async () => {
    await tsbuild.run(['prune', '--all', '--force']);
  });

  for (const phase of phases) {
    test(`in the middle of ${phase.name}, the next build is right and nothing is left`, async () => {
      const context = writeTree(join(work, phase.name), { Dockerfile: phase.dockerfile(base, debian) });
      const image = imageName(`crash-${phase.name.toLowerCase()}:1`);
      const args = ['build', '--progress=rawjson', '-t', image, ...phase.args(), context];
      const killed = await tsbuild.run(args, { started: (child) => killWhen(child, phase) });
      assert.equal(
        killed.signal,
        'SIGKILL',
        `the build ended before it was killed: ${killed.stderr.slice(-2000)}`,
      );
      await nothingLeft(tsbuild.root);

      await tsbuild.ok(args);
      const result = await tsbuild.ok(['run', image, 'cat', '/result']);
      assert.equal(result.stdout, 'done\n');
      await nothingLeft(tsbuild.root);
    });
  }
});

function killWhen(child: ChildProcess, phase: Phase): void {
  let seen = '';
  const look = (chunk: Buffer) => {
    seen += chunk.toString();
    if (!phase.begins.test(seen)) return;
    child.stderr?.off('data', look);
    setTimeout(() => child.kill('SIGKILL'), phase.delayMs);
  };
  child.stderr?.on('data', look);
}
