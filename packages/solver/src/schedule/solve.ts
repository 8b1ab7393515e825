/** Makes the results of plans. */
import { availableParallelism } from 'node:os';
import { TsbuildError } from '@tsbuild/core';
import type { Vertex, VertexId } from '../ops.js';
import type { BuildPlan } from '../plan.js';
import type { SolveOptions, Solved } from './api.js';
import { explainWith } from './explain.js';
import { Progress } from './progress.js';
import { Solver } from './solver.js';

/**
 * Makes every plan's result, in the order of the plans. When it settles, nothing that it started is still running.
 * @throws the first failure, with its place, stage and platform; TsbuildError TSB_CANCELLED_BUILD after an abort
 */
export async function solve(options: SolveOptions): Promise<Solved[]> {
  const { plans, worker, cache, emit, signal, limits, observer } = options;
  const controller = new AbortController();
  const abort = () => controller.abort(signal.reason);
  if (signal.aborted) throw cancelled(signal);
  signal.addEventListener('abort', abort, { once: true });
  const { vertices, owners } = combine(plans);
  const progress = new Progress(vertices, emit);
  const solver = new Solver({
    vertices,
    worker,
    cache,
    emit,
    controller,
    parallelSteps: limits?.parallelSteps ?? Math.max(4, availableParallelism()),
    progress,
    made: options.made,
    observer,
    explain: explainWith((vertex) => owners.get(vertex.id)?.dockerfile),
  });
  try {
    const solved = await Promise.all(
      plans.map(async (plan) => ({
        plan,
        ref: await solver.refOf(plan.result),
        async steps() {
          const outcomes = [];
          for (const id of plan.vertices.keys()) outcomes.push(await solver.outcome(id));
          return outcomes.filter((step) => step !== undefined);
        },
        known: (id: VertexId) => solver.known(id),
      })),
    );
    // A base that was made in advance may still run: it is not needed any more.
    controller.abort();
    for (const id of vertices.keys()) progress.cached(id);
    return solved;
  } catch (error) {
    controller.abort(error);
    if (solver.failure !== undefined) throw solver.failure.error;
    throw signal.aborted ? cancelled(signal) : error;
  } finally {
    signal.removeEventListener('abort', abort);
    await solver.tasks.settled();
  }
}

function cancelled(signal: AbortSignal): TsbuildError {
  if (TsbuildError.is(signal.reason)) return signal.reason;
  return new TsbuildError('TSB_CANCELLED_BUILD', 'the build was cancelled', {
    cause: signal.reason as unknown,
  });
}

/** Equal vertices of several plans have equal ids. */
function combine(plans: readonly BuildPlan[]) {
  const vertices = new Map<VertexId, Vertex>();
  const owners = new Map<VertexId, BuildPlan>();
  for (const plan of plans) {
    for (const [id, vertex] of plan.vertices) {
      if (vertices.has(id)) continue;
      vertices.set(id, vertex);
      owners.set(id, plan);
    }
  }
  return { vertices, owners };
}
