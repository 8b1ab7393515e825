/** build() as a program uses it: results, events, errors, cancelling. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type BuildEvent,
  build,
  diskUsage,
  history,
  images,
  inspect,
  TsbuildError,
} from '../../src/index.js';
import { createFixture, leftovers, missing, processesWith, shell } from './fixture.js';

const { folder, root, context, remove } = createFixture();
after(remove);
const options = { skip: missing, timeout: 60_000 };

test('the result has digests, names, outputs and the metadata of buildx', options, async () => {
  const dockerfileText = shell('ARG WORD', 'RUN echo "$WORD" > /word', 'ENV A=1');
  const result = await build({
    root,
    context,
    dockerfileText,
    tags: ['api:1', 'example.org/x/api:2'],
    buildArgs: { WORD: 'w' },
    labels: { l: 'm' },
  });
  assert.match(result.digest ?? '', /^sha256:[0-9a-f]{64}$/);
  assert.match(result.configDigest ?? '', /^sha256:[0-9a-f]{64}$/);
  assert.deepEqual(result.names, ['docker.io/library/api:1', 'example.org/x/api:2']);
  assert.equal(result.platforms.length, 1);
  assert.deepEqual(result.outputs, [{ type: 'store', digest: result.digest, names: result.names }]);
  assert.equal(result.metadata['containerimage.digest'], result.digest);
  assert.equal(result.metadata['containerimage.config.digest'], result.configDigest);
  assert.equal(result.metadata['image.name'], result.names.join(','));

  const { config, digest } = await inspect({ root, reference: 'api:1' });
  assert.equal(digest, result.digest);
  assert.deepEqual(config.config?.Labels, { l: 'm' });
  assert.deepEqual((await images({ root })).map(({ familiarName }) => familiarName).sort(), [
    'api:1',
    'example.org/x/api:2',
  ]);
  const lines = await history({ root, reference: 'api:1' });
  assert.deepEqual(
    lines.map(({ createdBy }) => createdBy.split(' ')[0]),
    ['ENV', 'RUN', 'ARG', 'COPY', 'COPY'],
  );
  assert.ok((await diskUsage({ root })).total > 0);
  assert.deepEqual(leftovers(root), []);
});

test('events come in order through onEvent and through the loop', options, async () => {
  const heard: BuildEvent[] = [];
  const running = build({
    root,
    context,
    dockerfileText: shell(`RUN echo one; echo two >&2 # ${Date.now()}`),
    onEvent: (event) => heard.push(event),
  });
  const seen: BuildEvent[] = [];
  for await (const event of running) seen.push(event);
  await running;
  assert.deepEqual(seen, heard);
  const step = seen.find((event) => event.type === 'vertex' && event.name.includes('RUN echo one'));
  assert.ok(step?.type === 'vertex');
  const own = seen.filter((event) => 'id' in event && event.id === step.id).map(({ type }) => type);
  assert.deepEqual([...new Set(own)], ['vertex', 'started', 'log', 'completed']);
  const text = (stream: string) =>
    seen.map((event) => (event.type === 'log' && event.stream === stream ? event.text : '')).join('');
  assert.deepEqual([text('stdout'), text('stderr')], ['one\n', 'two\n']);
});

test('leaving the loop early does not cancel the build', options, async () => {
  const running = build({ root, context, dockerfileText: shell(`RUN echo ${Date.now()}`), tags: ['early'] });
  for await (const _event of running) break;
  assert.deepEqual((await running).names, ['docker.io/library/early:latest']);
});

test('what a listener throws is thrown when the build is done', options, async () => {
  const fault = new Error('of the listener');
  const running = build({
    root,
    context,
    dockerfileText: shell(),
    tags: ['listener'],
    onEvent: () => {
      throw fault;
    },
  });
  await assert.rejects(running, fault);
  assert.ok((await images({ root })).some(({ familiarName }) => familiarName === 'listener:latest'));
});

test('without a context there is nothing to copy, and builds run', options, async () => {
  await build({ root, dockerfileText: 'FROM scratch\nLABEL a=b\n' });
  await assert.rejects(build({ root, dockerfileText: 'FROM scratch\nCOPY a /\n' }), {
    code: 'TSB_CONTEXT_NOT_FOUND',
  });
});

test('a failure is a TsbuildError with the place, the output and the exit status', options, async () => {
  const running = build({
    root,
    context,
    dockerfileText: shell('RUN echo before; echo oops >&2; exit 7'),
    tags: ['failed'],
  });
  const error = await running.then(
    () => assert.fail('it failed'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof TsbuildError && error instanceof Error);
  assert.equal(error.code, 'TSB_EXEC_FAILED');
  assert.equal(error.commandExitCode, 7);
  assert.equal(error.source?.range.startLine, 4);
  assert.match(error.outputTail ?? '', /before\noops|oops\nbefore/);
  assert.ok(!(await images({ root })).some(({ familiarName }) => familiarName === 'failed:latest'));
  assert.deepEqual(leftovers(root), []);
});

const wrong: [what: string, given: object, code: string][] = [
  [
    'an unknown instruction',
    { dockerfileText: 'FROM scratch\nCOPPY a b\n' },
    'TSB_PARSE_UNKNOWN_INSTRUCTION',
  ],
  ['an unknown stage', { dockerfileText: 'FROM scratch\n', target: 'nope' }, 'TSB_GRAPH_NO_STAGE'],
  ['a missing context', { context: '/nonexistent/tsbuild' }, 'TSB_CONTEXT_MISSING'],
  ['a context below a file', { context: '/etc/passwd/x' }, 'TSB_CONTEXT_NO_FOLDER'],
  ['a missing Dockerfile', { context, dockerfile: '/nonexistent/Dockerfile' }, 'TSB_CONTEXT_DOCKERFILE'],
  [
    'a bad name',
    { dockerfileText: 'FROM scratch\nLABEL a=b\n', tags: ['Bad Name'] },
    'TSB_RESOLVE_BAD_REFERENCE',
  ],
  [
    'a bad platform',
    { dockerfileText: 'FROM scratch\nLABEL a=b\n', platforms: ['a/b/c/d/e'] },
    'TSB_USAGE_BAD_PLATFORM',
  ],
];
for (const [what, given, code] of wrong)
  test(`${what} is refused with ${code}`, options, () => assert.rejects(build({ root, ...given }), { code }));

test('the loop throws what the promise rejects with', options, async () => {
  const running = build({ root, dockerfileText: 'NOPE\n' });
  await assert.rejects(async () => {
    for await (const _event of running);
  }, TsbuildError);
  await assert.rejects(running, TsbuildError);
});

test('builds at once in one process share their equal steps', options, async () => {
  const dockerfileText = shell('RUN busybox sleep 0.3; busybox cat /proc/sys/kernel/random/uuid > /id');
  const once_ = { root, context, dockerfileText };
  const [one, two] = await Promise.all([
    build({ ...once_, tags: ['one'] }),
    build({ ...once_, tags: ['two'] }),
  ]);
  const ids = await Promise.all(
    [one, two].map(
      async ({ names }) => (await inspect({ root, reference: names[0]! })).config.rootfs.diff_ids,
    ),
  );
  assert.deepEqual(ids[0], ids[1]);
});

const word = `${process.pid}771`;
const slow = shell(`RUN echo begun; busybox sleep ${word}`);

test('a signal that is aborted already starts nothing', options, async () => {
  const running = build({ root, context, dockerfileText: slow, signal: AbortSignal.abort() });
  await assert.rejects(running, { code: 'TSB_CANCELLED_ABORTED' });
});

test('an abort in a RUN ends its processes before the promise rejects', options, async () => {
  const controller = new AbortController();
  const running = build({
    root,
    context,
    dockerfileText: slow,
    tags: ['slow'],
    signal: controller.signal,
    onEvent: (event) => {
      if (event.type === 'log') controller.abort(new Error('changed my mind'));
    },
  });
  await assert.rejects(running, (error: TsbuildError) => {
    assert.equal(error.code, 'TSB_CANCELLED_ABORTED');
    assert.equal((error.cause as Error).message, 'changed my mind');
    return true;
  });
  assert.deepEqual(processesWith(`sleep ${word}`), []);
  assert.deepEqual(leftovers(root), []);
});

test('aborts at any moment leave a store that builds right', options, async () => {
  for (let delay = 0; delay < 400; delay += 40) {
    const signal = AbortSignal.timeout(delay + 1);
    const dockerfileText = shell(`RUN echo ${delay} > /n; busybox sleep 0.2`);
    const ended = await build({ root, context, dockerfileText, signal, noCache: true }).then(
      () => 'built',
      (error: TsbuildError) => error.code,
    );
    assert.ok(['built', 'TSB_CANCELLED_ABORTED'].includes(ended), `${ended} after ${delay} ms`);
    assert.deepEqual(leftovers(root), []);
  }
  const out = join(folder, 'after-aborts');
  await build({
    root,
    context,
    dockerfileText: shell('RUN echo right > /n'),
    outputs: [{ type: 'local', dest: out }],
  });
  assert.equal(readFileSync(join(out, 'n'), 'utf8'), 'right\n');
});

test('the engine ends when the process that called it is killed', options, async () => {
  const marker = `${process.pid}772`;
  const script = join(folder, 'parent.mjs');
  writeFileSync(
    script,
    `import { build } from ${JSON.stringify(new URL('../../src/index.js', import.meta.url).href)};
     await build({ root: ${JSON.stringify(root)}, context: ${JSON.stringify(context)},
       dockerfileText: ${JSON.stringify(shell(`RUN echo begun; busybox sleep ${marker}`))},
       onEvent: (event) => { if (event.type === 'log') console.log('begun'); } });`,
  );
  const parent = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(parent.stdout, 'data');
  for (let waited = 0; waited < 10_000 && processesWith(`sleep ${marker}`).length === 0; waited += 50)
    await sleep(50);
  assert.equal(processesWith(`sleep ${marker}`).length > 0, true);
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  for (let waited = 0; waited < 10_000 && processesWith(`sleep ${marker}`).length > 0; waited += 50)
    await sleep(50);
  assert.deepEqual(processesWith(`sleep ${marker}`), []);
  for (let waited = 0; waited < 10_000 && leftovers(root).length > 0; waited += 50) await sleep(50);
  assert.deepEqual(leftovers(root), []);
});
