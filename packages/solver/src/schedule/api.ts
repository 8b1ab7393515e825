/** What solving takes and gives. */
import type { EventSink } from '@tsbuild/core';
import type { Digest } from '@tsbuild/core';
import type { KnownStep } from '../explain/trace.js';
import type { CacheStore, KnownInput, Ref, Selector, Worker } from '../interfaces.js';
import type { Vertex, VertexId } from '../ops.js';
import type { BuildPlan } from '../plan.js';

export interface SolveOptions {
  /** One per platform. Vertices that are equal in several plans run once. */
  plans: readonly BuildPlan[];
  worker: Worker;
  cache: CacheStore;
  emit: EventSink;
  signal: AbortSignal;
  /** Told what is learnt of the steps. */
  observer?: StepObserver;
  /** Told about each result that a step has just made. */
  made?(vertex: Vertex, ref: Ref): void;
  limits?: {
    /** Steps that execute at the same time; the number of processors, at least 4, by default. */
    parallelSteps?: number;
  };
}

/**
 * - `absent`: there is no result under the key
 * - `unusable`: there is one, but its files are gone or damaged
 * - `forced`: the cache was not asked
 */
export type MissReason = 'absent' | 'unusable' | 'forced';

/** Hears of RUN, COPY, ADD and WORKDIR steps. What it does must not throw and does not hold up the build. */
export interface StepObserver {
  /** The step's key is known. */
  keyed(step: KnownStep): void;
  /** The step is about to run. */
  missed(vertex: Vertex, reason: MissReason): void;
  /** There is a result: from the cache, from an equal step, or because it ran. */
  done(id: VertexId): void;
}

/** One plan's result. */
export interface Solved {
  plan: BuildPlan;
  /** The target's root file system, held for this process. */
  ref: Ref;
  /** Every step of the plan with a result that can be had, inputs before users: what a shared cache can be given. */
  steps(): Promise<SolvedStep[]>;
  known: KnownInput;
}

export interface SolvedStep {
  vertex: Vertex;
  key: Digest;
  ref: Ref;
  /** What it read of other root file systems, as it entered the key. */
  reads: readonly ContentDigest[];
}

export interface ContentDigest {
  input: Ref;
  selector: Selector;
  digest: Digest;
}
