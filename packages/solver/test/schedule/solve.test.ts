import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, it } from 'node:test';
import { sha256, TsbuildError } from '@tsbuild/core';
import { type Bench, bench, Graph, layersOf } from '../fakes.js';

const range = { startLine: 2, startColumn: 1, endLine: 2, endColumn: 9 };

/** image → RUN a → COPY x → RUN b */
function chain(graph = new Graph()) {
  const copied = graph.copy(graph.run(graph.image(), 'a'), graph.local(), '/x', 'COPY x');
  return graph.plan(graph.run(copied, 'b'));
}

/** What the views are told of each vertex. */
function outcomes({ events }: Bench): Record<string, string> {
  const names = new Map<string, string>();
  const out: Record<string, string> = {};
  for (const event of events) {
    if (event.type === 'vertex') names.set(event.id, event.name);
    if (event.type !== 'completed') continue;
    const name = names.get(event.id) ?? '';
    assert.equal(out[name], undefined, `${name} completed twice`);
    out[name] = event.canceled
      ? 'canceled'
      : event.error !== undefined
        ? `error ${event.error}`
        : event.cached
          ? 'cached'
          : 'done';
  }
  return out;
}

describe('a chain of steps', () => {
  it('runs in order, each on the result of the one before', async () => {
    const at = bench();
    at.worker.context.set('/x', '1');
    const [solved] = await at.solve(chain());
    assert.deepEqual(layersOf(solved), [sha256('base'), 'a#1', 'COPY x#2', 'b#3']);
    assert.deepEqual(outcomes(at), {
      'FROM base': 'done',
      a: 'done',
      local: 'done',
      'COPY x': 'done',
      b: 'done',
    });
  });

  it('runs nothing the second time, and does not even unpack the image', async () => {
    const at = bench();
    at.worker.context.set('/x', '1');
    const [first] = await at.solve(chain());
    at.worker.calls.length = 0;
    at.cache.gets.length = 0;
    at.events.length = 0;
    const [again] = await at.solve(chain());
    assert.deepEqual(again?.ref, first?.ref);
    assert.deepEqual(at.worker.calls, [
      ['digest', '/x'],
      ['hold', ''],
    ]);
    assert.equal(at.cache.gets.length, 1);
    assert.deepEqual(outcomes(at), {
      'FROM base': 'cached',
      a: 'cached',
      local: 'done',
      'COPY x': 'cached',
      b: 'cached',
    });
  });

  it('runs only what comes after a change', async () => {
    const at = bench();
    at.worker.context.set('/x', '1');
    await at.solve(chain());
    at.worker.context.set('/x', '2');
    at.worker.calls.length = 0;
    at.events.length = 0;
    await at.solve(chain());
    assert.equal(at.worker.count('run', 'a'), 0);
    assert.equal(at.worker.count('image'), 0);
    assert.deepEqual(outcomes(at), {
      'FROM base': 'cached',
      a: 'cached',
      local: 'done',
      'COPY x': 'done',
      b: 'done',
    });
  });

  it('needs no results of the middle when they were pruned', async () => {
    const at = bench();
    at.worker.context.set('/x', '1');
    const plan = chain();
    await at.solve(plan);
    for (const [key, record] of at.cache.records)
      if (record.description !== 'b') at.cache.records.delete(key);
    at.worker.calls.length = 0;
    await at.solve(chain());
    assert.equal(at.worker.count('run') + at.worker.count('file') + at.worker.count('image'), 0);
  });

  it('is the image itself where there is no step', async () => {
    const at = bench();
    const graph = new Graph();
    const [solved] = await at.solve(graph.plan(graph.image()));
    assert.deepEqual(layersOf(solved), [sha256('base')]);
    assert.deepEqual(outcomes(at), { 'FROM base': 'done' });
  });

  it('starts from nothing on scratch and on an image without layers', async () => {
    const at = bench();
    const graph = new Graph();
    const empty = graph.image('empty', []);
    const [one, two] = await at.solve([
      graph.plan(graph.run(empty, 'x')),
      graph.plan(graph.run(graph.add({ kind: 'scratch' }), 'x')),
    ]);
    assert.deepEqual(layersOf(one), ['x#1']);
    assert.deepEqual(two?.ref, one?.ref);
    assert.equal(at.worker.count('image'), 0);
  });
});

describe('keys of steps that read other stages', () => {
  function copyFromStage(graph: Graph, build: string) {
    const built = graph.run(graph.image('sdk'), build);
    return graph.plan(graph.run(graph.copy(graph.image('slim'), built, '/out', 'COPY out'), 'after'));
  }

  it('a rebuilt stage with the same content leaves its users cached', async () => {
    const at = bench();
    at.worker.content.set('compile', 'program');
    at.worker.content.set('compile -v', 'program');
    at.worker.content.set('compile -O0', 'other');
    await at.solve(copyFromStage(new Graph(), 'compile'));
    at.worker.calls.length = 0;
    at.events.length = 0;
    await at.solve(copyFromStage(new Graph(), 'compile -v'));
    assert.equal(at.worker.count('run', 'compile -v'), 1);
    assert.equal(at.worker.count('file'), 0);
    assert.equal(at.worker.count('run', 'after'), 0);
    await at.solve(copyFromStage(new Graph(), 'compile -O0'));
    assert.equal(at.worker.count('file'), 1);
    assert.equal(at.worker.count('run', 'after'), 1);
  });

  it('a bind mount counts by content', async () => {
    const at = bench();
    const plan = (build: string) => {
      const graph = new Graph();
      const from = graph.run(graph.image('sdk'), build);
      return graph.plan(
        graph.run(graph.image(), 'use', {}, [
          { type: 'bind', target: '/m', from, source: '/', readonly: true },
        ]),
      );
    };
    at.worker.content.set('make', 'same');
    at.worker.content.set('make -j', 'same');
    await at.solve(plan('make'));
    await at.solve(plan('make -j'));
    assert.equal(at.worker.count('run', 'use'), 1);
  });

  it('http sources are asked every time, steps on them are not run again', async () => {
    const at = bench();
    const plan = () => {
      const graph = new Graph();
      const file = graph.add({ kind: 'http', url: 'http://h/f', filename: 'f' });
      return graph.plan(graph.copy(graph.image(), file, '/f'));
    };
    await at.solve(plan());
    await at.solve(plan());
    assert.equal(at.worker.count('http'), 2);
    assert.equal(at.worker.count('file'), 1);
  });

  it('a merge puts the layers of the copy on top of the base', async () => {
    const at = bench();
    at.worker.context.set('/x', '1');
    const plan = () => {
      const graph = new Graph();
      const upper = graph.copy(graph.add({ kind: 'scratch' }), graph.local(), '/x', 'LINK');
      return graph.plan(graph.run(graph.merge(graph.run(graph.image(), 'a'), upper), 'b'));
    };
    const [solved] = await at.solve(plan());
    assert.equal(layersOf(solved).length, 4);
    assert.deepEqual(
      layersOf(solved).map((name) => name.replace(/#\d/, '')),
      [sha256('base'), 'a', 'LINK', 'b'],
    );
    at.worker.calls.length = 0;
    await at.solve(plan());
    assert.equal(at.worker.count('run') + at.worker.count('file'), 0);
  });
});

describe('parallel work', () => {
  /** n stages that don't know of each other, copied into one. */
  function fan(n: number) {
    const graph = new Graph();
    let result = graph.add({ kind: 'scratch' });
    for (let i = 0; i < n; i += 1)
      result = graph.copy(result, graph.run(graph.image(), `stage ${i}`), '/o', `COPY ${i}`);
    return graph.plan(result);
  }

  it('independent stages run at the same time, up to the limit', async () => {
    for (const parallelSteps of [1, 2, 3]) {
      const at = bench();
      at.worker.during = async () => void (await sleep(5));
      await at.solve(fan(6), { limits: { parallelSteps } });
      assert.equal(at.worker.mostRunning, parallelSteps);
      assert.equal(at.worker.count('run'), 6);
    }
  });

  it('the image is pulled once for all stages on it', async () => {
    const at = bench();
    await at.solve(fan(4));
    assert.equal(at.worker.count('image'), 1);
  });

  it('while an input is built, the base of the step that reads it is made too', async () => {
    const at = bench();
    const graph = new Graph();
    const built = graph.run(graph.image('sdk'), 'compile');
    const base = graph.run(graph.image('slim'), 'install');
    const seen = new Set<string>();
    at.worker.during = async (name) => {
      seen.add(name);
      for (
        let i = 0;
        i < 100 &&
        (name === 'compile' || name === 'install') &&
        !(seen.has('compile') && seen.has('install'));
        i += 1
      )
        await sleep(2);
      if (name === 'compile') assert.ok(seen.has('install'), 'install waited for compile');
    };
    await at.solve(graph.plan(graph.copy(base, built, '/out')));
  });

  it('equal steps run once, in one plan and in several', async () => {
    const at = bench();
    const graph = new Graph();
    const again = graph.run(graph.image(), 'under another name', {}, [], ['same']);
    const twice = graph.copy(graph.run(graph.image(), 'same'), again, '/o');
    const other = new Graph('other-');
    await at.solve([graph.plan(twice), other.plan(other.run(other.image(), 'same'))]);
    assert.equal(at.worker.count('run'), 1);
  });

  it('two builds of the same step at the same time run it once', async () => {
    const at = bench();
    at.worker.during = async () => void (await sleep(10));
    const plan = () => {
      const graph = new Graph();
      return graph.plan(graph.run(graph.image(), 'slow'));
    };
    const [[one], [two]] = await Promise.all([at.solve(plan()), at.solve(plan())]);
    assert.equal(at.worker.count('run', 'slow'), 1);
    assert.deepEqual(one?.ref, two?.ref);
    assert.equal(at.cache.locked, 0);
  });
});

describe('--no-cache', () => {
  it('runs a marked step again, and what stands on its unchanged key is still found', async () => {
    const at = bench();
    const plan = (ignoreCache: boolean) => {
      const graph = new Graph();
      return graph.plan(graph.run(graph.run(graph.image(), 'a', { ignoreCache }), 'b', { ignoreCache }));
    };
    await at.solve(plan(false));
    at.worker.calls.length = 0;
    await at.solve(plan(true));
    assert.deepEqual([at.worker.count('run', 'a'), at.worker.count('run', 'b')], [1, 1]);
    at.worker.calls.length = 0;
    const [solved] = await at.solve(plan(false));
    assert.equal(at.worker.count('run'), 0);
    assert.deepEqual(layersOf(solved), [sha256('base'), 'a#3', 'b#4']);
  });

  it('what stands on a marked step gets the new layer, and what only copies equal content from it stays cached', async () => {
    const at = bench();
    const plan = (ignoreCache: boolean) => {
      const graph = new Graph();
      const marked = graph.run(graph.image(), 'a', { ignoreCache });
      const workdir = graph.copy(marked, graph.add({ kind: 'scratch' }), '/w', 'WORKDIR');
      return graph.plan(graph.copy(graph.run(graph.image('slim'), 'other'), workdir, '/o', 'COPY o'));
    };
    await at.solve(plan(false));
    at.worker.calls.length = 0;
    await at.solve(plan(true));
    assert.deepEqual([at.worker.count('run', 'a'), at.worker.count('file', 'WORKDIR')], [1, 1]);
    assert.deepEqual([at.worker.count('run', 'other'), at.worker.count('file', 'COPY o')], [0, 0]);
    for (const { ref, description } of at.cache.records.values()) {
      if (description === 'WORKDIR')
        assert.equal(
          ref.layers[1]?.snapshot,
          [...at.cache.records.values()].find((each) => each.description === 'a')?.ref.layers[1]?.snapshot,
        );
    }
  });

  it('equal marked steps still share one run', async () => {
    const at = bench();
    const graph = new Graph();
    const step = (name: string) => graph.run(graph.image(), name, { ignoreCache: true }, [], ['same']);
    await at.solve(graph.plan(graph.copy(step('one'), step('two'), '/o', 'COPY o', { ignoreCache: true })));
    assert.equal(at.worker.count('run'), 1);
  });
});

describe('records that cannot be used', () => {
  it('a lost snapshot is a miss with a warning', async () => {
    const at = bench();
    const plan = () => {
      const graph = new Graph();
      return graph.plan(graph.run(graph.image(), 'a'));
    };
    await at.solve(plan());
    at.worker.lost.add('a#1');
    at.events.length = 0;
    const [solved] = await at.solve(plan());
    assert.deepEqual(layersOf(solved), [sha256('base'), 'a#2']);
    const warnings = at.events.flatMap((event) => (event.type === 'warning' ? [event.message] : []));
    assert.ok(
      warnings.length > 0 && warnings.every((text) => text.includes('gone or damaged')),
      warnings.join(),
    );
  });

  it('lost layers of the image are fetched again, the step is not run', async () => {
    const at = bench();
    const plan = () => {
      const graph = new Graph();
      return graph.plan(graph.run(graph.image(), 'a'));
    };
    await at.solve(plan());
    at.worker.lost.add(sha256('base'));
    at.worker.calls.length = 0;
    const [solved] = await at.solve(plan());
    assert.deepEqual(layersOf(solved), [sha256('base'), 'a#1']);
    assert.equal(at.worker.count('image'), 1);
    assert.equal(at.worker.count('run'), 0);
  });

  it('a result that cannot be kept is still a result', async () => {
    const at = bench();
    at.cache.put = () => Promise.reject(new Error('disk full'));
    const graph = new Graph();
    const [solved] = await at.solve(graph.plan(graph.run(graph.image(), 'a')));
    assert.deepEqual(layersOf(solved), [sha256('base'), 'a#1']);
    assert.ok(at.events.some((event) => event.type === 'warning' && event.message.includes('disk full')));
  });
});

describe('failure and abort', () => {
  it('the first failure stops the others, and all have ended when it is told', async () => {
    const at = bench();
    const graph = new Graph();
    const bad = graph.run(graph.image(), 'bad', { stage: 'build', range });
    const slow = graph.run(graph.image(), 'slow');
    at.worker.during = async (name, { signal }) => {
      if (name === 'bad') {
        await sleep(5);
        throw new TsbuildError(
          'TSB_EXEC_FAILED',
          'process "bad" did not complete successfully: exit code: 1',
        );
      }
      if (name === 'slow') await sleep(10_000, undefined, { signal });
    };
    const plan = graph.plan(
      graph.copy(graph.copy(graph.add({ kind: 'scratch' }), bad, '/b'), slow, '/s'),
      'FROM base\nRUN bad\n',
    );
    const error = await at.solve(plan).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.ok(TsbuildError.is(error));
    assert.equal(error.code, 'TSB_EXEC_FAILED');
    assert.deepEqual(error.source, { file: 'Dockerfile', text: 'FROM base\nRUN bad\n', range });
    assert.equal(error.stage, 'build');
    assert.equal(error.platform, 'linux/amd64');
    assert.equal(at.worker.running, 0);
    assert.equal(at.cache.locked, 0);
    assert.deepEqual(outcomes(at), {
      'FROM base': 'done',
      bad: 'error process "bad" did not complete successfully: exit code: 1',
      slow: 'canceled',
    });
  });

  it('an abort ends everything and says so', async () => {
    const at = bench();
    const stop = new AbortController();
    at.worker.during = async (name, { signal }) => {
      if (name !== 'slow') return;
      setTimeout(() => stop.abort(), 5);
      await sleep(10_000, undefined, { signal });
    };
    const graph = new Graph();
    const plan = graph.plan(graph.run(graph.run(graph.image(), 'slow'), 'never'));
    await assert.rejects(at.solve(plan, { signal: stop.signal }), { code: 'TSB_CANCELLED_BUILD' });
    assert.equal(at.worker.running, 0);
    assert.equal(at.worker.count('run', 'never'), 0);
    assert.deepEqual(outcomes(at), { 'FROM base': 'done', slow: 'canceled' });
    await assert.rejects(at.solve(plan, { signal: AbortSignal.abort() }), { code: 'TSB_CANCELLED_BUILD' });
  });

  it('the reason of an abort is kept where it is one of our errors', async () => {
    const at = bench();
    const graph = new Graph();
    const reason = new TsbuildError('TSB_CANCELLED_TIMEOUT', 'the build took too long');
    await assert.rejects(at.solve(graph.plan(graph.image()), { signal: AbortSignal.abort(reason) }), reason);
  });

  it('a missing file is the fault of the step that names it', async () => {
    const at = bench();
    const graph = new Graph();
    const plan = graph.plan(
      graph.copy(graph.image(), graph.local(), '/nope', 'COPY nope', { range }),
      'FROM base\nCOPY nope /',
    );
    await assert.rejects(at.solve(plan), (error: unknown) => {
      assert.ok(TsbuildError.is(error));
      assert.equal(error.source?.range.startLine, 2);
      return error.code === 'TSB_CONTEXT_NOT_FOUND';
    });
    assert.deepEqual(outcomes(at), { local: 'done', 'COPY nope': 'error "/nope": not found' });
    assert.equal(at.worker.count('image'), 0);
  });

  it('a failed step is not kept and runs again', async () => {
    const at = bench();
    const graph = new Graph();
    const plan = graph.plan(graph.run(graph.image(), 'flaky'));
    at.worker.during = async (name) => {
      if (name === 'flaky') throw new Error('bug');
    };
    await assert.rejects(at.solve(plan), /bug/);
    assert.equal(at.cache.records.size, 0);
    at.worker.during = async () => {};
    await at.solve(plan);
    assert.equal(at.worker.count('run', 'flaky'), 2);
  });
});
