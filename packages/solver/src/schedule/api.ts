/** What solving takes and gives. */
import type { EventSink } from '@tsbuild/core';
import type { CacheStore, Ref, Worker } from '../interfaces.js';
import type { BuildPlan } from '../plan.js';

export interface SolveOptions {
  /** One per platform. Vertices that are equal in several plans run once. */
  plans: readonly BuildPlan[];
  worker: Worker;
  cache: CacheStore;
  emit: EventSink;
  signal: AbortSignal;
  limits?: {
    /** Steps that execute at the same time; the number of processors, at least 4, by default. */
    parallelSteps?: number;
  };
}

/** One plan's result. */
export interface Solved {
  plan: BuildPlan;
  /** The target's root file system, held for this process. */
  ref: Ref;
}
