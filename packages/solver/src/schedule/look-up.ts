/**
 * Which steps of a plan the cache has, without running one. Keys are made as for a build, as far as they can be: a step
 * that reads what another one makes has no key before that one has run.
 */
import type { Digest, EventSink } from '@tsbuild/core';
import { dependencies } from '../graph.js';
import type { CacheStore, Input, Ref, StepContext, Worker } from '../interfaces.js';
import { fileKey, imageKey, layersKey, mergeKey, runKey, scratchKey, sourceKey } from '../keys/op-key.js';
import type { FileOp, RunOp, Vertex, VertexId } from '../ops.js';
import type { BuildPlan } from '../plan.js';
import type { MissReason, StepObserver } from './api.js';
import { contentReads } from './content-reads.js';

export interface LookUpOptions {
  plans: readonly BuildPlan[];
  worker: Worker;
  /** Root file system of an image whose layers are all in the store; fetches nothing. */
  presentImage(vertex: Vertex): Promise<Ref | undefined>;
  cache: Pick<CacheStore, 'get' | 'find'>;
  emit: EventSink;
  signal: AbortSignal;
  observer?: Pick<StepObserver, 'keyed'>;
}

export type Found =
  /** The result is there, or is not needed: what needs it is there. */
  | { outcome: 'hit'; vertex: Vertex; key?: Digest }
  | { outcome: 'miss'; vertex: Vertex; key?: Digest; reason: MissReason }
  /** What it reads has to be made (or fetched) first. */
  | { outcome: 'unknown'; vertex: Vertex; waitsFor: Vertex };

type Known<T> = { value: T } | { waitsFor: Vertex };

/** The RUN, COPY, ADD and WORKDIR steps of the plans, in order. */
export async function lookUp(options: LookUpOptions): Promise<Found[]> {
  const looker = new Looker(options);
  for (const { result } of options.plans) await looker.need(result);
  return looker.found();
}

class Looker {
  readonly #options: LookUpOptions;
  readonly #vertices = new Map<VertexId, Vertex>();
  readonly #keys = new Map<VertexId, Promise<Known<Digest>>>();
  readonly #refs = new Map<VertexId, Promise<Known<Ref>>>();
  /** Results that were found before their keys were known. */
  readonly #foreign = new Map<VertexId, Ref>();
  readonly #fetched = new Map<VertexId, Promise<{ key: Digest; ref: Ref }>>();
  readonly #needed = new Set<VertexId>();
  readonly #reasons = new Map<VertexId, MissReason>();

  constructor(options: LookUpOptions) {
    this.#options = options;
    for (const { vertices } of options.plans)
      for (const vertex of vertices.values()) this.#vertices.set(vertex.id, vertex);
  }

  /** Looks the result up, and where it is not there, what it is made of. */
  async need(id: VertexId): Promise<void> {
    if (this.#needed.has(id)) return;
    this.#needed.add(id);
    const vertex = this.#vertex(id);
    const { op } = vertex;
    if (op.kind === 'local') return;
    const ref = await this.#refOf(id);
    if ('value' in ref && (op.kind === 'run' || op.kind === 'file')) return;
    for (const input of dependencies(op)) await this.need(input);
  }

  async found(): Promise<Found[]> {
    const all: Found[] = [];
    for (const vertex of this.#vertices.values()) {
      const { op, id } = vertex;
      if (op.kind !== 'run' && op.kind !== 'file') continue;
      const known = await this.#keys.get(id);
      const key = known !== undefined && 'value' in known ? { key: known.value } : {};
      const reason = this.#reasons.get(id);
      if (!this.#needed.has(id)) all.push({ outcome: 'hit', vertex, ...key });
      else if (reason !== undefined) all.push({ outcome: 'miss', vertex, ...key, reason });
      else if (known !== undefined && 'waitsFor' in known)
        all.push({ outcome: 'unknown', vertex, waitsFor: known.waitsFor });
      else all.push({ outcome: 'hit', vertex, ...key });
    }
    return all;
  }

  #vertex(id: VertexId): Vertex {
    const vertex = this.#vertices.get(id);
    if (vertex === undefined) throw new Error(`vertex ${id} is not in the graph`);
    return vertex;
  }

  #context(vertex: Vertex): StepContext {
    return { vertex, signal: this.#options.signal, emit: this.#options.emit };
  }

  #keyOf(id: VertexId): Promise<Known<Digest>> {
    return once(this.#keys, id, () => this.#makeKey(this.#vertex(id)));
  }

  #refOf(id: VertexId): Promise<Known<Ref>> {
    return once(this.#refs, id, () => this.#makeRef(this.#vertex(id)));
  }

  async #makeKey(vertex: Vertex): Promise<Known<Digest>> {
    const { op } = vertex;
    switch (op.kind) {
      case 'scratch':
        return { value: scratchKey };
      case 'image':
        return { value: imageKey(op) };
      case 'http':
      case 'git':
        return { value: sourceKey(op.kind, (await this.#fetch(vertex)).key) };
      case 'merge': {
        const lower = await this.#keyOf(op.lower);
        const upper = await this.#keyOf(op.upper);
        if ('waitsFor' in lower) return lower;
        return 'waitsFor' in upper ? upper : { value: mergeKey(lower.value, upper.value) };
      }
      case 'run':
      case 'file':
        return await this.#stepKey(vertex, op);
      case 'local':
        throw new Error(`local context ${op.name} has no key`);
    }
  }

  async #stepKey(vertex: Vertex, op: RunOp | FileOp): Promise<Known<Digest>> {
    const base = await this.#keyOf(op.base);
    const contents = new Map<number, Digest>();
    let waitsFor: Vertex | undefined;
    for (const { index, from, selector } of contentReads(op)) {
      const input = await this.#input(from);
      if ('waitsFor' in input) waitsFor ??= input.waitsFor;
      else {
        const reader = input.value.type === 'local' ? this.#vertex(from) : vertex;
        const { worker } = this.#options;
        contents.set(index, await worker.contentDigest(input.value, selector, this.#context(reader)));
      }
    }
    if (waitsFor !== undefined) return (await this.#findUnread(vertex)) ?? { waitsFor };
    if ('waitsFor' in base) return base;
    const key =
      op.kind === 'run'
        ? runKey(op, vertex.platform, base.value, contents)
        : fileKey(op, base.value, contents);
    this.#options.observer?.keyed({ vertex, key, base: base.value, contents });
    return { value: key };
  }

  /** As the solver: in a cache with other names than keys, before the stages that it reads are made. */
  async #findUnread(vertex: Vertex): Promise<Known<Digest> | undefined> {
    if (this.#ignoresCache(vertex.id)) return undefined;
    const { cache, worker } = this.#options;
    const record = await cache.find?.(vertex, async (id) =>
      this.#vertex(id).op.kind === 'local' ? this.#known(id) : undefined,
    );
    if (record === undefined || !(await worker.hold(record.ref))) return undefined;
    this.#foreign.set(vertex.id, record.ref);
    return { value: layersKey(record.ref) };
  }

  async #input(id: VertexId): Promise<Known<Input>> {
    const { op } = this.#vertex(id);
    if (op.kind === 'local') return { value: { type: 'local', name: op.name } };
    const ref = await this.#refOf(id);
    return 'value' in ref ? { value: { type: 'ref', ref: ref.value } } : ref;
  }

  #fetch(vertex: Vertex): Promise<{ key: Digest; ref: Ref }> {
    const { op, id } = vertex;
    if (op.kind !== 'http' && op.kind !== 'git') throw new Error(`${op.kind} cannot be fetched`);
    const { worker } = this.#options;
    const context = this.#context(vertex);
    return once(this.#fetched, id, () =>
      op.kind === 'http' ? worker.http(op, context) : worker.git(op, context),
    );
  }

  async #makeRef(vertex: Vertex): Promise<Known<Ref>> {
    const { op } = vertex;
    switch (op.kind) {
      case 'scratch':
        return { value: { layers: [] } };
      case 'image': {
        const ref = op.diffIds.length === 0 ? { layers: [] } : await this.#options.presentImage(vertex);
        return ref === undefined ? { waitsFor: vertex } : { value: ref };
      }
      case 'http':
      case 'git':
        return { value: (await this.#fetch(vertex)).ref };
      case 'merge': {
        const lower = await this.#refOf(op.lower);
        const upper = await this.#refOf(op.upper);
        if ('waitsFor' in lower) return lower;
        if ('waitsFor' in upper) return upper;
        return { value: { layers: [...lower.value.layers, ...upper.value.layers] } };
      }
      case 'run':
      case 'file':
        return await this.#stepRef(vertex);
      case 'local':
        throw new Error(`local context ${op.name} is no root file system`);
    }
  }

  async #stepRef(vertex: Vertex): Promise<Known<Ref>> {
    const key = await this.#keyOf(vertex.id);
    if ('waitsFor' in key) return key;
    const foreign = this.#foreign.get(vertex.id);
    if (foreign !== undefined) return { value: foreign };
    const miss = (reason: MissReason) => {
      this.#reasons.set(vertex.id, reason);
      return { waitsFor: vertex };
    };
    if (this.#ignoresCache(vertex.id)) return miss('forced');
    const { cache } = this.#options;
    const record = (await cache.get(key.value)) ?? (await cache.find?.(vertex, (id) => this.#known(id)));
    if (record === undefined) return miss('absent');
    if (await this.#options.worker.hold(record.ref)) return { value: record.ref };
    // A build would fetch layers of the base image again: still a hit, but one whose files can't be read now.
    const image = this.#imageBelow(vertex.id);
    const own = record.ref.layers.filter(({ diffId }) => diffId === undefined);
    if (image === undefined || !(await this.#options.worker.hold({ layers: own }))) return miss('unusable');
    return { waitsFor: image };
  }

  async #known(id: VertexId): Promise<Input | undefined> {
    const { op } = this.#vertex(id);
    if (op.kind === 'local') return { type: 'local', name: op.name };
    const ref = await this.#refs.get(id);
    return ref !== undefined && 'value' in ref ? { type: 'ref', ref: ref.value } : undefined;
  }

  #imageBelow(id: VertexId): Vertex | undefined {
    const vertex = this.#vertex(id);
    const { op } = vertex;
    if (op.kind === 'run' || op.kind === 'file') return this.#imageBelow(op.base);
    if (op.kind === 'merge') return this.#imageBelow(op.lower);
    return op.kind === 'image' ? vertex : undefined;
  }

  /** As the solver: the step is marked, or stands on one that is. */
  #ignoresCache(id: VertexId): boolean {
    const { op, ignoreCache } = this.#vertex(id);
    if (ignoreCache) return true;
    if (op.kind === 'run' || op.kind === 'file') return this.#ignoresCache(op.base);
    return op.kind === 'merge' && [op.lower, op.upper].some((each) => this.#ignoresCache(each));
  }
}

function once<T>(memo: Map<VertexId, Promise<T>>, id: VertexId, make: () => Promise<T>): Promise<T> {
  const known = memo.get(id);
  if (known !== undefined) return known;
  const made = make();
  memo.set(id, made);
  return made;
}
