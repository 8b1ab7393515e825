/**
 * Demand-driven execution of a graph: a vertex runs only if something that is wanted needs it and its key is not in
 * the cache.
 *
 * A key is known without running anything where no input has to be read by content, or where the inputs that are read
 * come from contexts and from cached steps. So a rebuild without changes is one look-up per stage that is wanted.
 */
import type { Digest, EventSink } from '@tsbuild/core';
import pLimit from 'p-limit';
import type {
  CacheRecord,
  CacheStore,
  Input,
  KnownInput,
  Ref,
  StepContext,
  StepResult,
  Worker,
} from '../interfaces.js';
import { fileKey, imageKey, layersKey, mergeKey, runKey, scratchKey, sourceKey } from '../keys/op-key.js';
import type { FileOp, RunOp, Vertex, VertexId } from '../ops.js';
import { Anticipation } from './anticipation.js';
import type { ContentDigest, SolvedStep } from './api.js';
import { now } from './clock.js';
import type { MissReason, StepObserver } from './api.js';
import type { Progress } from './progress.js';
import { type ContentRead, contentReads } from './content-reads.js';
import { Tasks } from './tasks.js';

type Step = Vertex & { op: RunOp | FileOp };

export interface SolverParts {
  vertices: ReadonlyMap<VertexId, Vertex>;
  worker: Worker;
  cache: CacheStore;
  emit: EventSink;
  /** Ends everything: the caller's wish, or the first failure. */
  controller: AbortController;
  parallelSteps: number;
  progress: Progress;
  observer?: StepObserver | undefined;
  made?: ((vertex: Vertex, ref: Ref) => void) | undefined;
  /** Adds what is known of the vertex to its error. */
  explain(error: unknown, vertex: Vertex): unknown;
}

export class Solver {
  readonly tasks = new Tasks();
  /** What failed first, unless the whole was aborted before. */
  failure: { error: unknown } | undefined;
  readonly #parts: SolverParts;
  readonly #signal: AbortSignal;
  readonly #limit: ReturnType<typeof pLimit>;
  readonly #keys = new Map<VertexId, Promise<Digest>>();
  readonly #refs = new Map<VertexId, Promise<Ref>>();
  readonly #made = new Map<VertexId, Ref>();
  readonly #fetched = new Map<VertexId, Promise<{ key: Digest; ref: Ref }>>();
  /** Results of steps; one that must not come from the cache is no other's result. */
  readonly #byKey = new Map<string, Promise<Ref>>();
  /** Results that were found before their keys were known. */
  readonly #foreign = new Map<VertexId, Ref>();
  readonly #uncached = new Map<VertexId, boolean>();
  readonly #reads = new Map<VertexId, ContentDigest[]>();
  /** Steps whose record names files that are not there. */
  readonly #unusable = new Set<VertexId>();
  readonly #anticipation: Anticipation;

  constructor(parts: SolverParts) {
    this.#parts = parts;
    this.#signal = parts.controller.signal;
    this.#limit = pLimit(parts.parallelSteps);
    this.#anticipation = new Anticipation(parts.vertices);
  }

  /** The vertex's root file system, from the cache or by running what it needs. */
  refOf(id: VertexId): Promise<Ref> {
    return this.#once(this.#refs, id, async () => {
      const ref = await this.#makeRef(this.#vertex(id));
      this.#made.set(id, ref);
      return ref;
    });
  }

  keyOf(id: VertexId): Promise<Digest> {
    return this.#once(this.#keys, id, () => this.#makeKey(this.#vertex(id)));
  }

  /** What is known of a step once its key was needed; it runs nothing. Undefined where its result is gone. */
  async outcome(id: VertexId): Promise<SolvedStep | undefined> {
    const vertex = this.#vertex(id);
    const known = this.#keys.get(id);
    if ((vertex.op.kind !== 'run' && vertex.op.kind !== 'file') || known === undefined) return undefined;
    const key = await known;
    // What was made in advance and then not needed was stopped.
    const made = await this.#refs.get(id)?.catch(() => undefined);
    const ref = made ?? (await this.#record(vertex, key))?.ref;
    if (ref === undefined || !(await this.#parts.worker.hold(ref))) return undefined;
    return { vertex, key, ref, reads: this.#reads.get(id) ?? [] };
  }

  /** What the vertex gave, if it has given something yet: nothing waits for it. */
  async known(id: VertexId): Promise<Input | undefined> {
    const { op } = this.#vertex(id);
    if (op.kind === 'local') return { type: 'local', name: op.name };
    const ref = this.#made.get(id);
    return ref && { type: 'ref', ref };
  }

  async #record(vertex: Vertex, key: Digest): Promise<CacheRecord | undefined> {
    const { cache } = this.#parts;
    const record = await cache.get(key);
    if (record !== undefined) return record;
    const found = await cache.find?.(vertex, (id) => this.known(id));
    return found && { key, ...found };
  }

  #once<T>(memo: Map<VertexId, Promise<T>>, id: VertexId, make: () => Promise<T>): Promise<T> {
    const known = memo.get(id);
    if (known !== undefined) return known;
    const made = this.tasks.track(make());
    memo.set(id, made);
    return made;
  }

  #vertex(id: VertexId): Vertex {
    const vertex = this.#parts.vertices.get(id);
    if (vertex === undefined) throw new Error(`vertex ${id} is not in the graph`);
    return vertex;
  }

  #context(vertex: Vertex): StepContext {
    return { vertex, signal: this.#signal, emit: this.#parts.emit };
  }

  async #makeKey(vertex: Vertex): Promise<Digest> {
    const { op } = vertex;
    switch (op.kind) {
      case 'scratch':
        return scratchKey;
      case 'image':
        return imageKey(op);
      case 'http':
      case 'git':
        return sourceKey(op.kind, (await this.#fetch(vertex)).key);
      case 'merge':
        return mergeKey(...(await Promise.all([this.keyOf(op.lower), this.keyOf(op.upper)])));
      case 'run':
      case 'file':
        return await this.#stepKey({ ...vertex, op });
      case 'local':
        throw new Error(`local context ${op.name} has no key`);
    }
  }

  async #stepKey(step: Step): Promise<Digest> {
    const { op } = step;
    const reads = contentReads(op);
    const foreign = await this.#findUnread(step, reads);
    if (foreign !== undefined) {
      this.#foreign.set(step.id, foreign);
      return layersKey(foreign);
    }
    this.#anticipation.wait(
      step.id,
      reads.map(({ from }) => from),
    );
    const contents = new Map<number, Digest>();
    const read: ContentDigest[] = [];
    this.#reads.set(step.id, read);
    const [base] = await Promise.all([
      this.keyOf(op.base),
      ...reads.map(async ({ index, from, selector }) => {
        const input = await this.#input(from);
        const digest = await this.#guard(step, () => this.#digest(step, from, input, selector));
        contents.set(index, digest);
        if (input.type === 'ref') read.push({ input: input.ref, selector, digest });
      }),
    ]);
    this.#anticipation.ready(step.id);
    const key = op.kind === 'run' ? runKey(op, step.platform, base, contents) : fileKey(op, base, contents);
    this.#parts.observer?.keyed({ vertex: step, key, base, contents });
    return key;
  }

  /**
   * The step's result in a cache with other names than keys, where its key could only be known by running the stages
   * that it reads: there the names of those stages tell it.
   */
  async #findUnread(step: Step, reads: readonly ContentRead[]): Promise<Ref | undefined> {
    const { cache, worker } = this.#parts;
    if (cache.find === undefined || this.#ignoresCache(step.id)) return undefined;
    const cached = await Promise.all(reads.map(({ from }) => this.#isCached(from)));
    if (cached.every(Boolean)) return undefined;
    const contexts: KnownInput = async (id) =>
      this.#vertex(id).op.kind === 'local' ? this.known(id) : undefined;
    const record = await this.#guard(step, async () => cache.find?.(step, contexts));
    return record !== undefined && (await worker.hold(record.ref)) ? record.ref : undefined;
  }

  /** Whether no step has to run for the vertex' files. */
  async #isCached(id: VertexId): Promise<boolean> {
    const vertex = this.#vertex(id);
    const { op } = vertex;
    if (op.kind === 'merge') {
      return (await Promise.all([op.lower, op.upper].map((each) => this.#isCached(each)))).every(Boolean);
    }
    if (op.kind !== 'run' && op.kind !== 'file') return true;
    if (this.#ignoresCache(id)) return false;
    const key = await this.keyOf(id);
    if (this.#foreign.has(id)) return true;
    const record = await this.#record(vertex, key);
    return record !== undefined && (await this.#parts.worker.hold(record.ref));
  }

  async #digest(
    step: Step,
    from: VertexId,
    input: Input,
    selector: Parameters<Worker['contentDigest']>[1],
  ): Promise<Digest> {
    const { worker, progress } = this.#parts;
    if (input.type === 'ref') return await worker.contentDigest(input, selector, this.#context(step));
    progress.started(from);
    try {
      return await worker.contentDigest(input, selector, this.#context(this.#vertex(from)));
    } finally {
      progress.done(from);
    }
  }

  async #input(id: VertexId): Promise<Input> {
    const { op } = this.#vertex(id);
    return op.kind === 'local'
      ? { type: 'local', name: op.name }
      : { type: 'ref', ref: await this.refOf(id) };
  }

  #fetch(vertex: Vertex): Promise<{ key: Digest; ref: Ref }> {
    const { op } = vertex;
    return this.#once(this.#fetched, vertex.id, () =>
      this.#guard(vertex, async () => {
        const { worker, progress } = this.#parts;
        progress.started(vertex.id);
        const context = this.#context(vertex);
        if (op.kind !== 'http' && op.kind !== 'git') throw new Error(`${op.kind} cannot be fetched`);
        const fetched = op.kind === 'http' ? await worker.http(op, context) : await worker.git(op, context);
        progress.done(vertex.id);
        return fetched;
      }),
    );
  }

  async #makeRef(vertex: Vertex): Promise<Ref> {
    const { op } = vertex;
    switch (op.kind) {
      case 'scratch':
        return { layers: [] };
      case 'image':
        return op.diffIds.length === 0 ? { layers: [] } : await this.#pull(vertex);
      case 'http':
      case 'git':
        return (await this.#fetch(vertex)).ref;
      case 'merge':
        return await this.#merge(vertex, op.lower, op.upper);
      case 'run':
      case 'file':
        return await this.#stepRef({ ...vertex, op });
      case 'local':
        throw new Error(`local context ${op.name} is no root file system`);
    }
  }

  #pull(vertex: Vertex): Promise<Ref> {
    return this.#guard(vertex, async () => {
      const { worker, progress } = this.#parts;
      if (vertex.op.kind !== 'image') throw new Error(`${vertex.op.kind} is no image`);
      progress.started(vertex.id);
      const ref = await worker.image(vertex.op, this.#context(vertex));
      progress.done(vertex.id);
      return ref;
    });
  }

  async #merge(vertex: Vertex, lower: VertexId, upper: VertexId): Promise<Ref> {
    const [below, above] = await Promise.all([this.refOf(lower), this.refOf(upper)]);
    this.#parts.progress.shared(vertex.id);
    return { layers: [...below.layers, ...above.layers] };
  }

  async #stepRef(step: Step): Promise<Ref> {
    const key = await this.keyOf(step.id);
    const foreign = this.#foreign.get(step.id);
    if (foreign !== undefined) {
      this.#parts.progress.cached(step.id);
      this.#parts.observer?.done(step.id);
      return foreign;
    }
    const identity = this.#ignoresCache(step.id) ? `${key} new` : key;
    const same = this.#byKey.get(identity);
    if (same !== undefined) {
      const ref = await same;
      this.#parts.progress.shared(step.id);
      this.#parts.observer?.done(step.id);
      return ref;
    }
    const made = this.tasks.track(this.#stepResult(step, key));
    this.#byKey.set(identity, made);
    const ref = await made;
    this.#parts.observer?.done(step.id);
    return ref;
  }

  async #stepResult(step: Step, key: Digest): Promise<Ref> {
    if (!this.#ignoresCache(step.id)) {
      const hit = await this.#guard(step, () => this.#lookUp(step, key));
      if (hit !== undefined) {
        this.#parts.progress.cached(step.id);
        return hit;
      }
    }
    this.#parts.observer?.missed(step, this.#missReason(step.id));
    this.#announceMiss(step);
    const reads = [...new Set(contentReads(step.op).map(({ from }) => from))];
    const [base, ...inputs] = await Promise.all([
      this.refOf(step.op.base),
      ...reads.map(async (from) => [from, await this.#input(from)] as const),
    ]);
    return await this.#limit(() => this.#guard(step, () => this.#execute(step, key, base, new Map(inputs))));
  }

  /** The lock is taken last, so that who holds it waits for nothing and two builds can't wait for each other. */
  async #execute(step: Step, key: Digest, base: Ref, inputs: ReadonlyMap<VertexId, Input>): Promise<Ref> {
    const { cache, progress } = this.#parts;
    this.#signal.throwIfAborted();
    progress.started(step.id);
    const lock = await cache.lock(key, this.#signal);
    try {
      const hit = this.#ignoresCache(step.id) ? undefined : await this.#lookUp(step, key);
      if (hit !== undefined) {
        progress.shared(step.id);
        return hit;
      }
      const { ref, usage } = await this.#perform(step, base, inputs);
      await this.#remember(step, key, ref);
      this.#parts.made?.(step, ref);
      progress.done(step.id, usage);
      return ref;
    } finally {
      lock.release();
    }
  }

  #perform(step: Step, base: Ref, inputs: ReadonlyMap<VertexId, Input>): Promise<StepResult> {
    const { op } = step;
    const { worker } = this.#parts;
    const context = this.#context(step);
    if (op.kind === 'file') return worker.file(op, base, inputs, context);
    const mounts = op.mounts.map((mount) => {
      const input = 'from' in mount && mount.from !== undefined ? inputs.get(mount.from) : undefined;
      return input === undefined ? { mount } : { mount, input };
    });
    return worker.run(op, base, mounts, context);
  }

  async #remember(step: Step, key: Digest, ref: Ref): Promise<void> {
    const createdAt = ref.layers.at(-1)?.createdAt ?? new Date(now()).toISOString();
    try {
      await this.#parts.cache.put({ key, ref, createdAt, description: step.name });
    } catch (error) {
      this.#warn(
        `the result of ${step.name} could not be kept: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }

  /** A record counts only if all its snapshots can be held. */
  async #lookUp(step: Step, key: Digest): Promise<Ref | undefined> {
    const { worker } = this.#parts;
    const record = await this.#record(step, key);
    if (record === undefined) return undefined;
    if (await worker.hold(record.ref)) return record.ref;
    // Layers of the image can be had again; they are needed whether the step runs or not.
    const image = this.#imageBelow(step.id);
    if (image !== undefined) {
      await this.refOf(image);
      if (await worker.hold(record.ref)) return record.ref;
    }
    this.#unusable.add(step.id);
    this.#warn(`the cached result of ${step.name} is gone or damaged; the step runs again`);
    return undefined;
  }

  #missReason(id: VertexId): MissReason {
    if (this.#ignoresCache(id)) return 'forced';
    return this.#unusable.has(id) ? 'unusable' : 'absent';
  }

  /**
   * Whether an old record must not be used: the step is marked, or it stands on one that is and so has a new layer below
   * it that no old record has.
   */
  #ignoresCache(id: VertexId): boolean {
    const known = this.#uncached.get(id);
    if (known !== undefined) return known;
    const { op, ignoreCache } = this.#vertex(id);
    const below =
      op.kind === 'run' || op.kind === 'file' ? [op.base] : op.kind === 'merge' ? [op.lower, op.upper] : [];
    const ignores = ignoreCache || below.some((each) => this.#ignoresCache(each));
    this.#uncached.set(id, ignores);
    return ignores;
  }

  #warn(message: string): void {
    this.#parts.emit({ type: 'warning', rule: 'CacheRecord', message });
  }

  #imageBelow(id: VertexId): VertexId | undefined {
    const { op } = this.#vertex(id);
    if (op.kind === 'run' || op.kind === 'file') return this.#imageBelow(op.base);
    if (op.kind === 'merge') return this.#imageBelow(op.lower);
    return op.kind === 'image' ? id : undefined;
  }

  #announceMiss(missed: Step): void {
    for (const id of this.#anticipation.missed(missed.id)) {
      const { op } = this.#vertex(id);
      if (op.kind !== 'run' && op.kind !== 'file') continue;
      void this.tasks.track(this.#prepareBase(op.base)).catch(() => undefined);
    }
  }

  /** Unless it is in the cache: then it may never be needed. */
  async #prepareBase(id: VertexId): Promise<void> {
    const { op } = this.#vertex(id);
    const key = op.kind === 'run' || op.kind === 'file' ? await this.keyOf(id) : undefined;
    const known =
      key !== undefined && !this.#ignoresCache(id) && (await this.#parts.cache.get(key)) !== undefined;
    if (known) return;
    await this.refOf(id);
  }

  /** Runs work of a vertex. Its failure is reported as the vertex's, once, and ends everything else. */
  async #guard<T>(vertex: Vertex, work: () => Promise<T>): Promise<T> {
    try {
      this.#signal.throwIfAborted();
      return await work();
    } catch (error) {
      this.#fail(error, vertex);
      throw error;
    }
  }

  #fail(error: unknown, vertex: Vertex): void {
    const { progress, controller, explain } = this.#parts;
    if (this.#signal.aborted) {
      progress.canceled(vertex.id);
      return;
    }
    this.failure = { error: explain(error, vertex) };
    progress.failed(vertex.id, error instanceof Error ? error.message : String(error));
    controller.abort(error);
  }
}
