/** The engine's process from outside: how it starts, what it inherits, and how each of its ends is told. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { type BuildEvent, build, images, type TsbuildError } from '../../src/index.js';
import { CallStreams, callEngine } from '../../src/engine/child.js';
import { createFixture, leftovers, missing, processesWith, shell } from '../api/fixture.js';

const { folder, root, context, remove } = createFixture();
after(remove);
const options = { skip: missing, timeout: 60_000 };
const index = new URL('../../src/index.js', import.meta.url).href;

/** Runs a program that imports the library's names. */
function program(body: string, env: NodeJS.ProcessEnv = {}) {
  const file = join(folder, `program-${Math.random()}.mjs`);
  writeFileSync(file, `import * as tsbuild from ${JSON.stringify(index)};\n${body}`);
  return spawnSync(process.execPath, [file], {
    encoding: 'utf8',
    timeout: 50_000,
    env: { ...process.env, TSBUILD_ROOT: root, ...env },
  });
}

test('options that cannot be sent end the engine, which would wait for them', options, async () => {
  const call = { operation: 'build', options: { f() {} }, streams: new CallStreams() } as const;
  await assert.rejects(callEngine({ ...call, inheritStdio: false, onEvent: () => {} }), {
    message: /could not be cloned/,
  });
});

test('an engine that cannot start says why', options, () => {
  const body = `process.env.NODE_OPTIONS = '--require=/nonexistent/hook.js';
    await tsbuild.build({ dockerfileText: 'FROM scratch' }).catch((error) => console.log(error.message));`;
  const { stdout } = program(body);
  assert.match(stdout, /^the engine ended without an answer \(status \d+\)\n/);
  assert.match(stdout, /\/nonexistent\/hook\.js/);
});

test('the engine has the environment and the working directory of the call', options, async () => {
  const { stdout, stderr } = program(
    `process.chdir(${JSON.stringify(folder)});
     process.env.SOURCE_DATE_EPOCH = '86400';
     await tsbuild.build({ context: 'context', dockerfileText: 'FROM scratch\\nCOPY busybox /\\n', tags: ['cwd'] });
     console.log((await tsbuild.inspect({ reference: 'cwd' })).config.created);`,
  );
  assert.equal(stdout, '1970-01-02T00:00:00Z\n', stderr);
});

test('run has the standard streams of the program, and gives the status', options, async () => {
  await build({ root, context, dockerfileText: shell(), tags: ['shell'] });
  const { stdout, stderr } = program(
    `const command = ['sh', '-c', 'echo "$WORD"; echo to-stderr >&2; exit 7'];
     console.log(await tsbuild.run({ reference: 'shell', command, env: { WORD: 'said' } }));`,
  );
  assert.equal(stdout, 'said\n{ exitCode: 7 }\n');
  assert.equal(stderr, 'to-stderr\n');
});

test('builds work in a worker thread', options, async () => {
  const worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
     import(workerData.index).then(({ build }) => build(workerData.options)).then(
       ({ names }) => parentPort.postMessage(names),
       (error) => parentPort.postMessage(error.message));`,
    {
      eval: true,
      workerData: {
        index,
        options: { root, context, dockerfileText: shell('RUN echo x'), tags: ['worker'] },
      },
    },
  );
  const names = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  assert.deepEqual(names, ['docker.io/library/worker:latest']);
  await worker.terminate();
});

test('much output arrives whole and in order', options, async () => {
  const lines = 20_000;
  const dockerfileText = shell(`RUN i=0; while [ $i -lt ${lines} ]; do echo line-$i; i=$((i+1)); done`);
  const parts: string[] = [];
  const onEvent = (event: BuildEvent) => {
    if (event.type === 'log') parts.push(event.text);
  };
  await build({ root, context, dockerfileText, noCache: true, onEvent });
  const expected = Array.from({ length: lines }, (_, i) => `line-${i}\n`).join('');
  assert.ok(parts.join('') === expected);
});

test('four builds at once, one of them aborted, one failing', options, async () => {
  const marker = `${process.pid}773`;
  const controller = new AbortController();
  const make = (run: string, more: object = {}) =>
    build({ root, context, dockerfileText: shell(`RUN ${run}`), noCache: true, ...more });
  const results = await Promise.allSettled([
    make('echo first > /f; busybox sleep 1', { tags: ['first'] }),
    make(`echo begun; busybox sleep ${marker}`, {
      signal: controller.signal,
      onEvent: ({ type }: BuildEvent) => type === 'log' && controller.abort(),
    }),
    make('exit 3'),
    make('echo fourth > /f; busybox sleep 1', { tags: ['fourth'] }),
  ]);
  const told = results.map((result) =>
    result.status === 'fulfilled' ? result.value.names.length : (result.reason as TsbuildError).code,
  );
  assert.deepEqual(told, [1, 'TSB_CANCELLED_ABORTED', 'TSB_EXEC_FAILED', 1]);
  const names = (await images({ root })).map(({ familiarName }) => familiarName);
  assert.ok(names.includes('first:latest') && names.includes('fourth:latest'));
  await sleep(50);
  assert.deepEqual(processesWith(`sleep ${marker}`), []);
  assert.deepEqual(leftovers(root), []);
});
