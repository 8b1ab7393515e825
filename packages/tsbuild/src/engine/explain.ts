/** Explanations of hits and misses: of a build while it runs, and of what a build would find (`tsbuild explain`). */
import { type CacheCause, formatPlatform } from '@tsbuild/core';
import {
  type BuildPlan,
  Explainer,
  type Found,
  linesOf,
  lookUp,
  type StepObserver,
  type Vertex,
  type VertexId,
} from '@tsbuild/solver';
import type { StepExplanation } from '../api/types.js';
import { BuildkitFinder } from '../remote-cache/buildkit-import.js';
import { withImports } from '../remote-cache/imports.js';
import { findTraces, type TraceName } from '../store/trace-store.js';
import type { OperationContext } from './context.js';
import type { Workshop } from './workshop.js';

export interface BuildExplanations {
  observer: StepObserver;
  /** Waits for explanations that are on their way; after a build that succeeded, tells what was found too. */
  end(succeeded: boolean): Promise<StepExplanation[]>;
}

export function explainBuild(
  plans: readonly BuildPlan[],
  name: Omit<TraceName, 'steps'>,
  workshop: Workshop,
  { emit }: Pick<OperationContext, 'emit'>,
): BuildExplanations {
  const explainer = explainerOf(plans, name, workshop);
  const told = new Map<VertexId, StepExplanation>();
  const keys = new Map<VertexId, StepExplanation['key']>();
  const running: Promise<void>[] = [];
  const tell = (vertex: Vertex, outcome: StepExplanation['outcome'], causes: CacheCause[]) => {
    const step = explanationOf(vertex, outcome, keys.get(vertex.id), causes);
    told.set(vertex.id, step);
    const { key } = step;
    emit({ type: 'explained', id: vertex.id, outcome, ...(key === undefined ? {} : { key }), causes });
  };
  return {
    observer: {
      keyed(step) {
        keys.set(step.vertex.id, step.key);
        explainer.keyed(step);
      },
      missed(vertex, reason) {
        running.push(
          explainer.causesOf(vertex.id, reason).then(
            (causes) => tell(vertex, 'miss', causes),
            // A fault here must not fail a build.
            () => tell(vertex, 'miss', [{ kind: 'new', text: 'the cause could not be found out' }]),
          ),
        );
      },
      done() {},
    },
    async end(succeeded) {
      await Promise.all(running);
      const steps = stepsOf(plans);
      if (succeeded) for (const vertex of steps) if (!told.has(vertex.id)) tell(vertex, 'hit', []);
      return steps.flatMap(({ id }) => told.get(id) ?? []);
    },
  };
}

/** What a build would find; nothing runs. */
export async function explainPlans(
  plans: readonly BuildPlan[],
  name: Omit<TraceName, 'steps'>,
  workshop: Workshop,
  { emit, signal }: OperationContext,
): Promise<StepExplanation[]> {
  const explainer = explainerOf(plans, name, workshop);
  const { executor, store } = workshop;
  const all = await lookUp({
    plans,
    worker: executor,
    presentImage: async ({ op }) => (op.kind === 'image' ? await executor.presentImage(op) : undefined),
    cache: withImports(
      store.steps,
      workshop.imports,
      new BuildkitFinder(plans, executor.buildkitDigest, signal),
    ),
    emit,
    signal,
    observer: { keyed: (step) => explainer.keyed(step) },
  });
  return await Promise.all(all.map((found) => explainFound(found, explainer)));
}

async function explainFound(found: Found, explainer: Explainer): Promise<StepExplanation> {
  const { vertex, outcome } = found;
  switch (outcome) {
    case 'hit':
      return explanationOf(vertex, outcome, found.key, []);
    case 'miss':
      return explanationOf(vertex, outcome, found.key, await explainer.causesOf(vertex.id, found.reason));
    case 'unknown':
      return explanationOf(vertex, outcome, undefined, [waiting(found.waitsFor)]);
  }
}

function waiting({ op, name }: Vertex): CacheCause {
  const text =
    op.kind === 'image'
      ? `its key is not known: it depends on files of ${op.reference}, which has to be fetched first`
      : `its key is not known: it depends on files that another step would have to make first: ${name}`;
  return { kind: 'waits', text };
}

function explainerOf(
  plans: readonly BuildPlan[],
  name: Omit<TraceName, 'steps'>,
  { store, executor, imports }: Workshop,
): Explainer {
  return new Explainer({
    plans,
    traces: findTraces(store.root, name, linesOf(plans)),
    filesBetween: (before, after) => executor.filesBetween(before, after),
    caches: imports.names,
    async untrusted(key) {
      const record = await store.steps.get(key);
      const names = (record?.ref.layers ?? []).flatMap(({ imported = [] }) => imported);
      return [...new Set(names)].filter((each) => !imports.names.has(each));
    },
  });
}

/** RUN, COPY, ADD and WORKDIR, in order. */
function stepsOf(plans: readonly BuildPlan[]): Vertex[] {
  const steps = new Map<VertexId, Vertex>();
  for (const { vertices } of plans)
    for (const vertex of vertices.values())
      if (vertex.op.kind === 'run' || vertex.op.kind === 'file') steps.set(vertex.id, vertex);
  return [...steps.values()];
}

function explanationOf(
  { name, stage, platform }: Vertex,
  outcome: StepExplanation['outcome'],
  key: StepExplanation['key'],
  causes: CacheCause[],
): StepExplanation {
  return {
    name,
    ...(stage === undefined ? {} : { stage }),
    platform: formatPlatform(platform),
    outcome,
    ...(key === undefined ? {} : { key }),
    causes,
  };
}
