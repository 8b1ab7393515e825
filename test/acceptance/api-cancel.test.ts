/**
 * The library's builds end by an abort, by kill -9 of the program, by kill -9 of the engine, in each phase: within
 * seconds, with the right error, and with no process, mount, temporary file or lease left.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { getEventListeners } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxImage } from '../support/busybox.js';
import { command, Tsbuild } from '../support/command.js';
import { imageName, registry, workFolder } from '../support/env.js';
import { type Event, type Library, library, modulePath } from '../support/library.js';
import { type StallProxy, startStallProxy } from '../support/stall-proxy.js';

/** Milliseconds in which all must be gone. */
const patience = 5_000;

/** Milliseconds after an event that begins a phase; then it stands still where the proxy stops it. */
const later = 150;

/** Argument of the sleep in RUN steps, to find its process by. */
const marker = `${process.pid}4711`;

let api: Library;
let proxy: StallProxy;
let root: string;
let work: string;
let base: string;
/** The base under names that go through the proxy. */
let slowBase: string;

before(async () => {
  api = await library();
  work = workFolder('api-cancel');
  root = join(work, 'store');
  base = await busyboxImage(new Tsbuild(root), work);
  proxy = await startStallProxy(registry);
  const name = imageName('api-cancel/base:1');
  slowBase = name.replace(registry, proxy.host);
  await api.push({ root, reference: base, destination: name });
});
after(async () => {
  await proxy.stop();
  await api.prune({ root, all: true });
});

interface Phase {
  name: string;
  options(): Record<string, unknown>;
  /** Whether it has been reached. */
  reached(event: Event): boolean;
  /** What stands still meanwhile. */
  stall?(method: string, path: string): number | undefined;
}

let round = 0;
const phases: Phase[] = [
  {
    name: 'RUN',
    options: () => ({ dockerfileText: `FROM ${base}\nRUN echo begun; sleep ${marker}\n`, tags: ['never'] }),
    reached: ({ type }) => type === 'log',
  },
  {
    name: 'pull',
    options: () => ({ dockerfileText: `FROM ${slowBase}\nRUN true\n`, tags: ['never'], pull: true }),
    reached: ({ type, action }) => type === 'transfer' && action === 'downloading',
    stall: (method, path) => (method === 'GET' && path.includes('/blobs/') ? 10_000 : undefined),
  },
  {
    name: 'lookup of the base',
    options: () => ({ dockerfileText: `FROM ${slowBase}\nRUN true\n`, tags: ['never'], pull: true }),
    reached: ({ type, id = '' }) => type === 'started' && id.startsWith('internal:metadata'),
    stall: (_method, path) => (path.includes('/manifests/') ? 10 : undefined),
  },
  {
    name: 'push',
    options: () => {
      round += 1;
      return {
        dockerfileText: `FROM ${base}\nRUN head -c 400000 /dev/urandom > /${round}\n`,
        tags: [imageName(`api-cancel/never:${round}`).replace(registry, proxy.host)],
        push: true,
      };
    },
    reached: ({ type, action }) => type === 'transfer' && action === 'uploading',
    stall: (method) => (method === 'PUT' || method === 'PATCH' ? 5_000 : undefined),
  },
];

describe('a build of the library that ends early', () => {
  for (const phase of phases) {
    test(`by an abort in ${phase.name}`, { timeout: 60_000 }, async () => {
      const fresh = freshRoot(phase);
      const controller = new AbortController();
      const why = new Error('changed my mind');
      let reached = false;
      let at = 0;
      proxy.stall = phase.stall ?? (() => undefined);
      const running = api.build({
        root: fresh,
        ...phase.options(),
        signal: controller.signal,
        onEvent(event: Event) {
          if (reached || !phase.reached(event)) return;
          reached = true;
          setTimeout(() => {
            at = performance.now();
            controller.abort(why);
          }, later);
        },
      });
      await assert.rejects(running, (error: Error & { code: string }) => {
        assert.ok(at > 0, `the phase was not reached: ${error.message}`);
        assert.ok(error instanceof api.TsbuildError);
        assert.equal(error.code, 'TSB_CANCELLED_ABORTED');
        assert.equal(error.cause, why);
        return true;
      });
      const took = performance.now() - at;
      assert.ok(took < patience, `${took} ms`);
      assert.deepEqual(getEventListeners(controller.signal, 'abort'), []);
      assert.deepEqual(remains(fresh), []);
      await buildsRight(fresh, phase);
    });

    test(`by kill -9 of the program in ${phase.name}`, { timeout: 60_000 }, async () => {
      const fresh = freshRoot(phase);
      proxy.stall = phase.stall ?? (() => undefined);
      const program = await start({ root: fresh, ...phase.options() }, phase);
      await sleep(later);
      program.kill('SIGKILL');
      await until(() => remains(fresh).length === 0);
      assert.deepEqual(remains(fresh), []);
      await buildsRight(fresh, phase);
    });

    test(`by kill -9 of the engine in ${phase.name}`, { timeout: 60_000 }, async () => {
      const fresh = freshRoot(phase);
      proxy.stall = phase.stall ?? (() => undefined);
      let engines: Process[] = [];
      const running = api.build({
        root: fresh,
        ...phase.options(),
        onEvent(event: Event) {
          if (engines.length > 0 || !phase.reached(event)) return;
          engines = processes().filter(({ parent }) => parent === process.pid);
          setTimeout(() => {
            for (const { pid } of engines) process.kill(pid, 'SIGKILL');
          }, later);
        },
      });
      await assert.rejects(running, { code: 'TSB_HOST_KILLED' });
      assert.equal(engines.length, 1);
      await until(() => liveProcesses().length === 0);
      assert.deepEqual(liveProcesses(), []);
      await buildsRight(fresh, phase);
      await api.prune({ root: fresh });
      assert.deepEqual(remains(fresh), []);
    });
  }

  test('before it began: nothing is started, and no store is made', async () => {
    const signal = AbortSignal.abort();
    const fresh = join(work, 'not-made');
    await assert.rejects(api.build({ root: fresh, dockerfileText: 'FROM scratch\n', signal }), {
      code: 'TSB_CANCELLED_ABORTED',
    });
    assert.ok(!existsSync(fresh));
  });
});

test('calls leave no listener at a signal, and aborts reach those without an engine', async () => {
  const { signal } = new AbortController();
  const own = join(work, 'signals');
  proxy.stall = () => undefined;
  await api.build({ root: own, dockerfileText: `FROM ${slowBase}\nRUN true\n`, tags: ['kept'], signal });
  await api.pull({ root: own, reference: slowBase, signal });
  await api.push({ root: own, reference: 'kept', destination: imageName('api-cancel/kept:1'), signal });
  await api.images({ root: own, signal });
  assert.deepEqual(getEventListeners(signal, 'abort'), []);

  proxy.stall = (method, path) => (method === 'GET' && path.includes('/blobs/') ? 10_000 : undefined);
  const late = join(work, 'late');
  const timeout = AbortSignal.timeout(700);
  await assert.rejects(api.pull({ root: late, reference: slowBase, signal: timeout }), {
    code: 'TSB_CANCELLED_ABORTED',
  });
  assert.deepEqual(remains(late), []);
  await api.prune({ root: own, all: true });
});

test('a program ends by itself once its calls have ended', { timeout: 60_000 }, async () => {
  proxy.stall = () => undefined;
  const own = join(work, 'ends');
  const script = join(work, 'ends.mjs');
  writeFileSync(
    script,
    `import { build, pull, push, prune } from ${JSON.stringify(modulePath)};
     const root = ${JSON.stringify(own)};
     await pull({ root, reference: ${JSON.stringify(slowBase)} });
     await build({ root, dockerfileText: 'FROM scratch\\nLABEL a=b\\n', tags: ['ended'] });
     await push({ root, reference: 'ended', destination: ${JSON.stringify(imageName('api-cancel/ended:1'))} });
     await prune({ root, all: true });
     const at = Date.now();
     process.on('exit', () => console.log(Date.now() - at < 1000 ? 'at once' : 'late'));`,
  );
  const { stdout, stderr } = await command(process.execPath, [script], { limit: 50 });
  assert.equal(stdout, 'at once\n', stderr);
});

/** Pulls need a store that lacks the base; the other phases one that has it. */
function freshRoot(phase: Phase): string {
  round += 1;
  return phase.name === 'pull' ? join(work, `store-${round}`) : root;
}

/** A push follows the build, whose image has its name then; the others have made none. */
async function buildsRight(store: string, phase: Phase): Promise<void> {
  proxy.stall = () => undefined;
  const from = store === root ? base : slowBase;
  const tag = `right:${round}`;
  await api.build({ root: store, dockerfileText: `FROM ${from}\nRUN echo ${round} > /n\n`, tags: [tag] });
  const names = (await api.images({ root: store })).map(({ familiarName }) => familiarName);
  assert.ok(names.includes(tag));
  assert.equal(
    names.some((name) => name.includes('never')),
    phase.name === 'push',
    names.join(),
  );
}

/** A program that builds; resolves when the phase is reached. */
function start(options: Record<string, unknown>, phase: Phase): Promise<ChildProcess> {
  const script = join(work, `program-${round}.mjs`);
  writeFileSync(
    script,
    `import { build } from ${JSON.stringify(modulePath)};
     for await (const event of build(${JSON.stringify(options)})) process.stdout.write(JSON.stringify(event) + '\\n');`,
  );
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (data: string) => {
      const lines = (text + data).split('\n');
      text = lines.pop() ?? '';
      if (lines.some((line) => phase.reached(JSON.parse(line) as Event))) resolve(child);
    });
    child.once('exit', () => reject(new Error(`it ended before ${phase.name}`)));
  });
}

interface Process {
  pid: number;
  parent: number;
  line: string;
}

function processes(): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const status = readFileSync(`/proc/${name}/status`, 'utf8');
        const line = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return [{ pid: Number(name), parent: Number(/^PPid:\t(\d+)$/m.exec(status)?.[1]), line }];
      } catch {
        return [];
      }
    });
}

/** Engines that tests of this file started and steps of theirs. */
function liveProcesses(): string[] {
  return processes()
    .filter(
      ({ line, parent }) =>
        line.includes(`sleep ${marker}`) || (parent === process.pid && line.includes('engine')),
    )
    .map(({ line }) => line);
}

/** All that an ended call may not leave. */
function remains(store: string): string[] {
  const files = ['tmp', 'leases', 'oci/ingest'].flatMap((name) =>
    existsSync(join(store, name)) ? readdirSync(join(store, name)).map((entry) => `${name}/${entry}`) : [],
  );
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(store));
  return [...files, ...mounts, ...liveProcesses()];
}

async function until(done: () => boolean): Promise<void> {
  for (const begin = performance.now(); !done() && performance.now() - begin < patience; ) await sleep(50);
}
