/** Traces in the store: which are chosen, how many are kept, and that faults cost no more than a trace. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { sha256 } from '@tsbuild/core';
import { type BuildTrace, type TraceStep, traceVersion } from '@tsbuild/solver';
import { allBuildTraces, findTraces, keepTrace, nameOf } from '../../src/store/trace-store.js';

const step = (text: string): TraceStep => ({
  stage: 's',
  platform: 'linux/amd64',
  text,
  key: sha256(text),
  base: sha256('base'),
  facts: {},
  args: [],
  done: true,
});

function trace(salt: string, ...texts: string[]): BuildTrace {
  return { version: traceVersion, keyVersion: 1, salt, steps: texts.map(step), images: [] };
}

const name = (project: string, settings = '', steps = '') => ({
  project: nameOf(project),
  settings: nameOf(settings),
  steps: nameOf(steps),
});

function store(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), 'tsbuild-traces-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

/** Makes the traces of a store older, so that the next is the newest. */
function age(root: string): void {
  const folder = join(root, 'cache/traces');
  for (const [index, file] of readdirSync(folder).entries())
    utimesSync(join(folder, file), 1_000_000 + index, 1_000_000 + index);
}

const salts = (traces: readonly BuildTrace[]) => traces.map(({ salt }) => salt);

test('the same settings come first, then the same project, newest first', (t) => {
  const root = store(t);
  keepTrace(root, name('p', 'x', '1'), () => trace('same settings', 'RUN a'));
  age(root);
  keepTrace(root, name('p', 'y', '2'), () => trace('same project', 'RUN a'));
  keepTrace(root, name('q', 'x', '3'), () => trace('other project', 'RUN a'));
  assert.deepEqual(salts(findTraces(root, name('p', 'x'), [step('RUN a')])), [
    'same settings',
    'same project',
  ]);
  assert.deepEqual(salts(findTraces(root, name('p', 'z'), [step('RUN a')])), [
    'same project',
    'same settings',
  ]);
});

test('without one of the project the likest is taken, if it is like at all', (t) => {
  const root = store(t);
  keepTrace(root, name('p', '', '1'), () => trace('half', 'RUN a', 'RUN x'));
  keepTrace(root, name('q', '', '2'), () => trace('most', 'RUN a', 'RUN b', 'RUN x'));
  const lines = ['RUN a', 'RUN b'].map(step);
  assert.deepEqual(salts(findTraces(root, name('r'), lines)), ['most']);
  assert.deepEqual(salts(findTraces(root, name('r'), ['RUN c', 'RUN d'].map(step))), []);
});

test('the same keys again only make a trace the newest', (t) => {
  const root = store(t);
  keepTrace(root, name('p', 'x', '1'), () => trace('first', 'RUN a'));
  keepTrace(root, name('p', 'x', '2'), () => trace('second', 'RUN b'));
  age(root);
  keepTrace(root, name('p', 'x', '1'), () => assert.fail('it is there'));
  assert.deepEqual(salts(findTraces(root, name('p', 'x'), [])), ['first', 'second']);
});

test('no more than 256 are kept, the longest unused go', (t) => {
  const root = store(t);
  for (let index = 0; index < 256; index++)
    keepTrace(root, name('p', '', `${index}`), () => trace(`${index}`));
  age(root);
  keepTrace(root, name('p', '', 'last'), () => trace('last'));
  const kept = salts(allBuildTraces(root).map((each) => each.trace));
  assert.equal(kept.length, 256);
  assert.equal(kept[0], 'last');
});

test('damaged traces, and those of another version, are passed over', (t) => {
  const root = store(t);
  keepTrace(root, name('p', '', '1'), () => ({ ...trace('old'), version: traceVersion - 1 }));
  keepTrace(root, name('p', '', '2'), () => trace('good'));
  for (const file of readdirSync(join(root, 'cache/traces')))
    writeFileSync(join(root, 'cache/traces', `${file.slice(0, -1)}x`), 'damaged');
  assert.deepEqual(salts(findTraces(root, name('p'), [])), ['good']);
});

test('a store that cannot be written to costs no more than the trace', (t) => {
  const root = store(t);
  mkdirSync(join(root, 'cache'));
  writeFileSync(join(root, 'cache/traces'), '');
  keepTrace(root, name('p'), () => trace('lost'));
  assert.deepEqual(readdirSync(join(root, 'cache')), ['traces']);
});
