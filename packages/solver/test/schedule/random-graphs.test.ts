/** Random graphs: the solver comes to what a plain evaluation in order comes to, and does nothing twice. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import type { BuildPlan, VertexId } from '../../src/index.js';
import { bench, Graph, layersOf } from '../fakes.js';

interface Shape {
  /** For each step: what it stands on and what it copies from, as positions among all that came before. */
  steps: {
    base: number;
    from: number;
    name: number;
    kind: 'run' | 'copy' | 'merge' | 'context';
    noCache: boolean;
  }[];
}

const position = fc.nat({ max: 1000 });
const shape: fc.Arbitrary<Shape> = fc.record({
  steps: fc.array(
    fc.record({
      base: position,
      from: position,
      name: fc.nat({ max: 4 }),
      kind: fc.constantFrom('run', 'copy', 'copy', 'merge', 'context'),
      noCache: fc.integer({ min: 0, max: 9 }).map((value) => value === 0),
    }),
    { minLength: 1, maxLength: 14 },
  ),
});

/** Steps whose names are equal do the same; their results hold the name alone. */
function planOf({ steps }: Shape, cached = false): BuildPlan {
  const graph = new Graph();
  const made: VertexId[] = [graph.image('a'), graph.image('b'), graph.add({ kind: 'scratch' })];
  for (const { base, from, name, kind, noCache } of steps) {
    const below = made[base % made.length] as VertexId;
    const source = made[from % made.length] as VertexId;
    const more = { ignoreCache: noCache && !cached };
    if (kind === 'run') made.push(graph.run(below, `run ${name}`, more));
    else if (kind === 'copy') made.push(graph.copy(below, source, `/${name}`, `copy ${name}`, more));
    else if (kind === 'context')
      made.push(graph.copy(below, graph.local(), `/${name}`, `context ${name}`, more));
    else made.push(graph.merge(below, source));
  }
  return graph.plan(made.at(-1) as VertexId);
}

/** Names of the layers, evaluated in order. */
function naive(plan: BuildPlan): string[] {
  const results = new Map<VertexId, string[]>();
  for (const [id, { op, name }] of plan.vertices) {
    const of = (input: VertexId) => results.get(input) ?? [];
    if (op.kind === 'image') results.set(id, [...op.diffIds]);
    else if (op.kind === 'merge') results.set(id, [...of(op.lower), ...of(op.upper)]);
    else if (op.kind === 'run' || op.kind === 'file') results.set(id, [...of(op.base), name]);
    else results.set(id, []);
  }
  return results.get(plan.result) ?? [];
}

function prepared() {
  const at = bench();
  for (let name = 0; name < 5; name += 1) at.worker.context.set(`/${name}`, `file ${name}`);
  at.worker.during = async () => void (await turn());
  return at;
}

const names = (layers: string[]) => layers.map((layer) => layer.replace(/#\d+$/, ''));

describe('random graphs', () => {
  it('have the layers a plain evaluation gives; a second build runs nothing', async () => {
    await fc.assert(
      fc.asyncProperty(shape, fc.integer({ min: 1, max: 4 }), async (random, parallelSteps) => {
        const at = prepared();
        const plan = planOf(random);
        const [solved] = await at.solve(plan, { limits: { parallelSteps } });
        assert.deepEqual(names(layersOf(solved)), naive(plan));
        assert.ok(at.worker.mostRunning <= parallelSteps);
        assert.equal(at.cache.locked, 0);
        at.worker.calls.length = 0;
        const again = planOf(random, true);
        const [second] = await at.solve(again, { limits: { parallelSteps } });
        assert.deepEqual(names(layersOf(second)), naive(again));
        assert.equal(at.worker.count('run') + at.worker.count('file'), 0);
      }),
      { numRuns: 150 },
    );
  });

  it('complete every step they show exactly once', async () => {
    await fc.assert(
      fc.asyncProperty(shape, async (random) => {
        const at = prepared();
        await at.solve(planOf(random));
        const shown = at.events.flatMap((event) => (event.type === 'vertex' ? [event.id] : []));
        const completed = at.events.flatMap((event) => (event.type === 'completed' ? [event.id] : []));
        assert.deepEqual(completed.toSorted(), shown.toSorted());
      }),
      { numRuns: 100 },
    );
  });

  it('leave nothing running when a step fails', async () => {
    await fc.assert(
      fc.asyncProperty(shape, fc.nat({ max: 12 }), async (random, failing) => {
        const at = prepared();
        let started = 0;
        at.worker.during = async () => {
          started += 1;
          const mine = started;
          await turn();
          if (mine === failing + 1) throw new Error('planned failure');
        };
        await at
          .solve(planOf(random))
          .catch((error: unknown) => assert.match(String(error), /planned failure/));
        assert.equal(at.worker.running, 0);
        assert.equal(at.cache.locked, 0);
        const begun = at.events.flatMap((event) => (event.type === 'started' ? [event.id] : []));
        const ended = new Set(at.events.flatMap((event) => (event.type === 'completed' ? [event.id] : [])));
        assert.deepEqual(
          begun.filter((id) => !ended.has(id)),
          [],
        );
      }),
      { numRuns: 100 },
    );
  });
});
