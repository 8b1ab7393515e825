/** Leaves a build's trace in the store, so that a later build can be told what changed. */
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import {
  type BuildPlan,
  type BuildTrace,
  closure,
  instructionOf,
  type KnownStep,
  type StepObserver,
  traceOf,
  type VertexId,
} from '@tsbuild/solver';
import type { BuildOptions } from '../api/types.js';
import type { Workshop } from './workshop.js';
import { keepTrace, nameOf, type TraceName } from '../store/trace-store.js';

/** Which builds are compared first: of the same Dockerfile and context, and of these with the same settings. */
export function projectOf(options: Omit<BuildOptions, 'signal' | 'onEvent'>): Omit<TraceName, 'steps'> {
  const { context, dockerfile, dockerfileText, target, buildArgs, platforms } = options;
  return {
    project: nameOf([placeOf(context), dockerfileText === undefined ? (dockerfile ?? '') : 'text']),
    settings: nameOf([target ?? '', Object.entries(buildArgs ?? {}).sort(), platforms ?? []]),
  };
}

/** The same repository at another commit is the same place. */
function placeOf(context: BuildOptions['context']): string {
  if (typeof context !== 'string') return context === undefined ? 'none' : 'stream';
  if (context === '-') return 'stream';
  return /^[a-z][a-z0-9+.-]*:\/\/|^git@/i.test(context) ? context.replace(/#.*$/s, '') : resolve(context);
}

export interface Recorder {
  observer: StepObserver;
  /** @param succeeded then what was not needed was there as well */
  keep(succeeded: boolean): void;
}

export function recordTrace(
  { store, imports }: Pick<Workshop, 'store' | 'imports'>,
  plans: readonly BuildPlan[],
  name: Omit<TraceName, 'steps'>,
  options: Pick<BuildOptions, 'context'>,
): Recorder {
  const known = new Map<VertexId, KnownStep>();
  const done = new Set<VertexId>();
  return {
    observer: {
      keyed: (step) => void known.set(step.vertex.id, step),
      missed() {},
      done: (id) => void done.add(id),
    },
    keep(succeeded) {
      if (known.size === 0) return;
      const all = succeeded ? plans.map(({ result }) => result) : [...done];
      // What a result stands on was not asked for where the result was found.
      for (const { vertices } of plans)
        for (const id of all.filter((each) => vertices.has(each)))
          for (const below of closure(vertices, id).keys()) done.add(below);
      keepTrace(store.root, { ...name, steps: stepsName(plans, known, done, [...imports.names]) }, () => ({
        ...traceOf(plans, known, done, randomBytes(16).toString('hex')),
        ...originOf(plans, options),
        ...(imports.names.size === 0 ? {} : { caches: [...imports.names] }),
      }));
    },
  };
}

function originOf(
  plans: readonly BuildPlan[],
  { context }: Pick<BuildOptions, 'context'>,
): Pick<BuildTrace, 'origin'> {
  const dockerfile = plans[0]?.dockerfile.filename ?? 'Dockerfile';
  const place = typeof context === 'string' ? { context: withoutPassword(placeOf(context)) } : {};
  return { origin: { dockerfile, ...place } };
}

function withoutPassword(place: string): string {
  return place.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, '$1');
}

function stepsName(
  plans: readonly BuildPlan[],
  known: ReadonlyMap<VertexId, KnownStep>,
  done: ReadonlySet<VertexId>,
  caches: readonly string[],
): TraceName['steps'] {
  const steps = plans.flatMap((plan) =>
    [...plan.vertices.values()].flatMap((vertex) => {
      const step = known.get(vertex.id);
      if (step === undefined) return [];
      return [[vertex.stage, instructionOf(plan, vertex), step.key, done.has(vertex.id)]];
    }),
  );
  return nameOf([steps, caches]);
}
