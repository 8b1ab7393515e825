/** Results in a cache that has other names for steps than keys: CacheStore.find. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CacheStore, Input, VertexId } from '../../src/index.js';
import { type Bench, bench, Graph, layer, layersOf } from '../fakes.js';

/** The bench's cache with results by the names of steps; what was known of the read stages is noted. */
function withFound(at: Bench, results: Record<string, string[]>, asked: string[] = []): CacheStore {
  return {
    get: (key) => at.cache.get(key),
    put: (record) => at.cache.put(record),
    lock: (key) => at.cache.lock(key),
    async find({ name }) {
      asked.push(name);
      const layers = results[name];
      return layers && { ref: { layers: layers.map(layer) }, createdAt: 'then', description: name };
    },
  };
}

/** image → build; image → COPY of build → last */
function twoStages(graph = new Graph()) {
  const image = graph.image();
  const build = graph.run(image, 'build');
  return { build, plan: graph.plan(graph.run(graph.copy(image, build, '/x', 'COPY x'), 'last')) };
}

const ran = ({ worker }: Bench) =>
  worker.calls.filter(([call]) => call === 'run' || call === 'file').map(([, name]) => name);

describe('steps found by other names', () => {
  it('are hits, and what they stand on is not made', async () => {
    const at = bench();
    const { plan } = twoStages();
    const cache = withFound(at, { last: ['i', 'c', 'l'], 'COPY x': ['i', 'c'] });
    const [solved] = await at.solve(plan, { cache });
    assert.deepEqual(layersOf(solved), ['i', 'c', 'l']);
    assert.deepEqual(ran(at), []);
  });

  it('are looked for before a stage that they read is made, which then is not', async () => {
    const at = bench();
    const { plan } = twoStages();
    const [solved] = await at.solve(plan, { cache: withFound(at, { 'COPY x': ['i', 'c'] }) });
    assert.deepEqual(ran(at), ['last']);
    assert.deepEqual(layersOf(solved).slice(0, 2), ['i', 'c']);
  });

  it('give the steps above them keys, so that those are hits the next time', async () => {
    const at = bench();
    const { plan } = twoStages();
    const cache = withFound(at, { 'COPY x': ['i', 'c'] });
    await at.solve(plan, { cache });
    at.worker.calls.length = 0;
    await at.solve(plan, { cache });
    assert.deepEqual(ran(at), []);
  });

  it('are not asked for where the cache has the key', async () => {
    const at = bench();
    const { plan } = twoStages();
    await at.solve(plan);
    const asked: string[] = [];
    await at.solve(plan, { cache: withFound(at, {}, asked) });
    assert.deepEqual(asked, []);
  });

  it('do not count where the cache must not be used', async () => {
    const at = bench();
    const graph = new Graph();
    const asked: string[] = [];
    const first = graph.run(graph.image(), 'first', { ignoreCache: true });
    const plan = graph.plan(graph.run(first, 'second'));
    await at.solve(plan, { cache: withFound(at, { first: ['f'], second: ['s'] }, asked) });
    assert.deepEqual([ran(at), asked], [['first', 'second'], []]);
  });

  it('do not count when their layers are gone', async () => {
    const at = bench();
    const { plan } = twoStages();
    at.worker.lost.add('gone');
    await at.solve(plan, { cache: withFound(at, { 'COPY x': ['gone'], last: ['gone'] }) });
    assert.deepEqual(ran(at), ['build', 'COPY x', 'last']);
  });

  it('tell what the stages gave that are made already, and contexts', async () => {
    const at = bench();
    const { build, plan } = twoStages();
    const known = new Map<string, Input | undefined>();
    const cache: CacheStore = {
      ...withFound(at, {}),
      async find({ name }, inputOf: (id: VertexId) => Promise<Input | undefined>) {
        known.set(name, await inputOf(build));
        return undefined;
      },
    };
    await at.solve(plan, { cache });
    const input = known.get('COPY x');
    assert.equal(input?.type === 'ref' ? input.ref.layers.at(-1)?.snapshot : undefined, 'build#1');
  });

  it('may be in the outcome of a build, to be exported again', async () => {
    const at = bench();
    const { plan } = twoStages();
    const cache = withFound(at, { last: ['i', 'c', 'l'], 'COPY x': ['i', 'c'] });
    const [solved] = await at.solve(plan, { cache });
    const steps = (await solved?.steps()) ?? [];
    assert.deepEqual(
      steps.map(({ vertex }) => vertex.name),
      ['COPY x', 'last'],
    );
  });
});
