/**
 * Solves plans: finds or makes the root file system of each plan's result.
 *
 * Demand-driven. The result's key is computed first, from keys alone; only what a key needs by content (a stage
 * that files are copied from) is solved for it. A hit asks for nothing below it, so a build without changes touches the index
 * and the context's stat cache and no snapshot.
 */
import { type Digest, formatPlatform, TsbuildError } from '@tsbuild/core';
import pLimit from 'p-limit';
import type { Input, Ref, StepContext, StepResult, Worker } from '../interfaces.js';
import { fileKey, imageKey, mergeKey, runKey, scratchKey } from '../keys/op-key.js';
import type { CopyAction, FileOp, RunMount, RunOp, Vertex, VertexId } from '../ops.js';
import { dependencies, inputsOf } from '../graph.js';
import type { BuildPlan } from '../plan.js';
import type { Solved, SolveOptions } from './api.js';
import { VertexEvents } from './vertex-events.js';

/**
 * Solves all plans together: equal vertices run once. When one fails the others are cancelled, and the promise settles
 * only after everything that was started has ended.
 * @throws TsbuildError of the first step that failed, with its place in the Dockerfile; the signal's reason on abort
 */
export async function solve(options: SolveOptions): Promise<Solved[]> {
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const shared: Shared = {
    options: { ...options, signal },
    byKey: new Map(),
    limit: pLimit(options.limits?.parallelSteps ?? defaultParallelSteps),
  };
  let first: unknown;
  const runs = options.plans.map(async (plan) => {
    const solver = new PlanSolver(plan, shared);
    try {
      return await solver.result();
    } catch (error) {
      first ??= error;
      stop.abort(error);
      await solver.settled();
      throw error;
    }
  });
  const outcomes = await Promise.allSettled(runs);
  options.signal.throwIfAborted();
  if (first !== undefined) throw first;
  return outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
}

/** More would only share the same processors; what waits for an input or a lock does not count. */
const defaultParallelSteps = 8;

interface Shared {
  options: SolveOptions;
  /** Results by key: equal vertices of all plans. */
  byKey: Map<Digest, Promise<Ref>>;
  limit: ReturnType<typeof pLimit>;
}

interface FetchedSource {
  key: Digest;
  ref: Ref;
}

class PlanSolver {
  readonly #plan: BuildPlan;
  readonly #shared: Shared;
  readonly #events: VertexEvents;
  readonly #keys = new Map<VertexId, Promise<Digest>>();
  readonly #refs = new Map<VertexId, Promise<Ref>>();
  readonly #fetched = new Map<VertexId, Promise<FetchedSource>>();

  constructor(plan: BuildPlan, shared: Shared) {
    this.#plan = plan;
    this.#shared = shared;
    this.#events = new VertexEvents(plan, shared.options.emit);
  }

  async result(): Promise<Solved> {
    this.#events.planned();
    const ref = await this.#ref(this.#plan.result);
    this.#events.restAsCached();
    return { plan: this.#plan, ref };
  }

  /** Resolves when nothing this plan started is running any more. */
  async settled(): Promise<void> {
    const started = () => [...this.#keys.values(), ...this.#refs.values(), ...this.#fetched.values()];
    for (let count = -1; count !== started().length; ) {
      count = started().length;
      await Promise.allSettled(started());
    }
  }

  #vertex(id: VertexId): Vertex {
    const vertex = this.#plan.vertices.get(id);
    if (vertex === undefined) throw new Error(`vertex ${id} is not in the plan`);
    return vertex;
  }

  #key(id: VertexId): Promise<Digest> {
    return memo(this.#keys, id, () => this.#placed(this.#vertex(id), (vertex) => this.#makeKey(vertex)));
  }

  #ref(id: VertexId): Promise<Ref> {
    return memo(this.#refs, id, () => this.#placed(this.#vertex(id), (vertex) => this.#makeRef(vertex)));
  }

  async #makeKey(vertex: Vertex): Promise<Digest> {
    const { op } = vertex;
    switch (op.kind) {
      case 'scratch':
        return scratchKey;
      case 'image':
        return imageKey(op);
      case 'local':
        throw new Error(`the local context ${op.name} has no key of its own`);
      case 'http':
      case 'git':
        return (await this.#fetch(vertex)).key;
      case 'merge': {
        const [lower, upper] = await Promise.all([this.#key(op.lower), this.#key(op.upper)]);
        return mergeKey(lower, upper);
      }
      case 'run': {
        const digests = op.mounts.map((mount) => this.#mountDigest(vertex, mount));
        const [base, ...mounts] = await Promise.all([this.#key(op.base), ...digests]);
        return runKey(op, vertex.platform, base, mounts);
      }
      case 'file': {
        const copies = op.actions.filter((action): action is CopyAction => action.type === 'copy');
        const digests = copies.map((action) => this.#copyDigest(vertex, action));
        const [base, ...contents] = await Promise.all([this.#key(op.base), ...digests]);
        return fileKey(op, base, contents);
      }
    }
  }

  async #mountDigest(vertex: Vertex, mount: RunMount): Promise<Digest | undefined> {
    if (mount.type !== 'bind' && mount.type !== 'cache') return undefined;
    if (mount.from === undefined) return undefined;
    const input = await this.#input(mount.from);
    const selector = { type: 'path', path: mount.source, followLinks: true } as const;
    return this.#worker.contentDigest(input, selector, this.#context(vertex));
  }

  async #copyDigest(vertex: Vertex, action: CopyAction): Promise<Digest> {
    const input = await this.#input(action.from);
    const { source, exclude, parents, unpack, ownerZero } = action;
    const selector = { type: 'copy', action: { source, exclude, parents, unpack, ownerZero } } as const;
    return this.#worker.contentDigest(input, selector, this.#context(vertex));
  }

  async #input(id: VertexId): Promise<Input> {
    const { op } = this.#vertex(id);
    return op.kind === 'local' ? { type: 'local', name: op.name } : { type: 'ref', ref: await this.#ref(id) };
  }

  async #makeRef(vertex: Vertex): Promise<Ref> {
    const { op } = vertex;
    switch (op.kind) {
      case 'scratch':
        return { layers: [] };
      case 'local':
        throw new Error(`the local context ${op.name} is no root file system`);
      case 'image':
        if (op.diffIds.length === 0) return { layers: [] };
        return this.#events.during(vertex, () => this.#worker.image(op, this.#context(vertex)));
      case 'http':
      case 'git':
        return (await this.#fetch(vertex)).ref;
      case 'merge': {
        const [lower, upper] = await Promise.all([this.#ref(op.lower), this.#ref(op.upper)]);
        return { layers: [...lower.layers, ...upper.layers] };
      }
      case 'run':
      case 'file':
        return this.#stepRef(vertex, op);
    }
  }

  #fetch(vertex: Vertex): Promise<FetchedSource> {
    const { op } = vertex;
    return memo(this.#fetched, vertex.id, () =>
      this.#events.during(vertex, async () => {
        if (op.kind === 'http') return this.#worker.http(op, this.#context(vertex));
        if (op.kind === 'git') return this.#worker.git(op, this.#context(vertex));
        throw new Error(`${op.kind} is not fetched`);
      }),
    );
  }

  /** The result of a step: that of an equal vertex, from the cache, or by doing it. */
  async #stepRef(vertex: Vertex, op: RunOp | FileOp): Promise<Ref> {
    const key = await this.#events.failing(vertex, () => this.#key(vertex.id));
    const twin = this.#shared.byKey.get(key);
    if (twin !== undefined) {
      const ref = await twin;
      this.#events.cached(vertex);
      return ref;
    }
    const result = this.#findOrDo(vertex, op, key);
    this.#shared.byKey.set(key, result);
    return result;
  }

  async #findOrDo(vertex: Vertex, op: RunOp | FileOp, key: Digest): Promise<Ref> {
    const { cache, signal } = this.#shared.options;
    const known = await this.#lookUp(vertex, key);
    if (known !== undefined) return known;
    const lock = await cache.lock(key, signal);
    try {
      const meanwhile = await this.#lookUp(vertex, key);
      if (meanwhile !== undefined) return meanwhile;
      const { ref } = await this.#execute(vertex, op);
      const createdAt = ref.layers.at(-1)?.createdAt ?? '';
      await cache.put({ key, ref, createdAt, description: vertex.name });
      return ref;
    } finally {
      lock.release();
    }
  }

  async #lookUp(vertex: Vertex, key: Digest): Promise<Ref | undefined> {
    if (vertex.ignoreCache) return undefined;
    const record = await this.#shared.options.cache.get(key);
    if (record === undefined) return undefined;
    if (!(await this.#worker.hold(record.ref))) return undefined;
    this.#events.cached(vertex);
    return record.ref;
  }

  async #execute(vertex: Vertex, op: RunOp | FileOp): Promise<StepResult> {
    const [base, inputs] = await Promise.all([this.#ref(op.base), this.#inputs(op)]);
    return this.#shared.limit(() => {
      this.#shared.options.signal.throwIfAborted();
      return this.#events.during(vertex, () => {
        const context = this.#context(vertex);
        if (op.kind === 'file') return this.#worker.file(op, base, inputs, context);
        const mounts = op.mounts.map((mount) => {
          const input = 'from' in mount && mount.from !== undefined ? inputs.get(mount.from) : undefined;
          return input === undefined ? { mount } : { mount, input };
        });
        return this.#worker.run(op, base, mounts, context);
      });
    });
  }

  async #inputs(op: RunOp | FileOp): Promise<Map<VertexId, Input>> {
    const entries = inputsOf(op).map(async (id) => [id, await this.#input(id)] as const);
    return new Map(await Promise.all(entries));
  }

  #context(vertex: Vertex): StepContext {
    const { emit, signal } = this.#shared.options;
    return { vertex, signal, emit };
  }

  get #worker(): Worker {
    return this.#shared.options.worker;
  }

  /** Adds to an error which instruction of which file it came from. */
  async #placed<T>(vertex: Vertex, work: (vertex: Vertex) => Promise<T>): Promise<T> {
    try {
      return await work(vertex);
    } catch (error) {
      if (TsbuildError.is(error) && vertex.range !== undefined && dependencies(vertex.op).length > 0) {
        const { filename: file, text } = this.#plan.dockerfile;
        error.with({
          source: { file, text, range: vertex.range },
          ...(vertex.stage === undefined ? {} : { stage: vertex.stage }),
          platform: formatPlatform(vertex.platform),
        });
      }
      throw error;
    }
  }
}

function memo<K, V>(map: Map<K, Promise<V>>, key: K, make: () => Promise<V>): Promise<V> {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  // Whoever asked handles the failure; settled() looks at it a second time.
  made.catch(() => {});
  map.set(key, made);
  return made;
}
