/** The events of a solve: each vertex is announced once, started at most once and completed exactly once. */
import { type EventSink, formatPlatform, type StepUsage } from '@tsbuild/core';
import { dependencies } from '../graph.js';
import type { Vertex, VertexId } from '../ops.js';
import { now } from './clock.js';

export class Progress {
  readonly #started = new Set<VertexId>();
  readonly #completed = new Set<VertexId>();
  readonly #vertices: ReadonlyMap<VertexId, Vertex>;
  readonly #emit: EventSink;

  constructor(vertices: ReadonlyMap<VertexId, Vertex>, emit: EventSink) {
    this.#vertices = vertices;
    this.#emit = emit;
    for (const vertex of vertices.values()) {
      if (!this.#isShown(vertex.id)) continue;
      emit({
        type: 'vertex',
        id: vertex.id,
        name: vertex.name,
        inputs: dependencies(vertex.op).filter((id) => this.#isShown(id)),
        platform: formatPlatform(vertex.platform),
        ...(vertex.stage === undefined ? {} : { stage: vertex.stage }),
        ...(vertex.range === undefined ? {} : { range: vertex.range }),
      });
    }
  }

  started(id: VertexId): void {
    if (this.#started.has(id) || this.#completed.has(id)) return;
    this.#started.add(id);
    if (this.#isShown(id)) this.#emit({ type: 'started', id, at: now() });
  }

  /** The vertex ran. */
  done(id: VertexId, usage?: StepUsage): void {
    this.#complete(id, false, usage === undefined ? {} : { usage });
  }

  /** The vertex and everything below it that has not run needs not to. */
  cached(id: VertexId): void {
    const vertex = this.#vertices.get(id);
    if (vertex === undefined || this.#completed.has(id) || this.#started.has(id)) return;
    this.#complete(id, true, {});
    for (const input of dependencies(vertex.op)) this.cached(input);
  }

  /** An equal vertex ran, so this one needs not to. */
  shared(id: VertexId): void {
    this.#complete(id, true, {});
  }

  failed(id: VertexId, error: string): void {
    this.started(id);
    this.#complete(id, false, { error });
  }

  /** The vertex was stopped. One that had not begun has nothing to report. */
  canceled(id: VertexId): void {
    if (this.#started.has(id)) this.#complete(id, false, { error: 'context canceled', canceled: true });
  }

  #complete(
    id: VertexId,
    cached: boolean,
    more: { error?: string; canceled?: boolean; usage?: StepUsage },
  ): void {
    if (this.#completed.has(id)) return;
    this.#completed.add(id);
    if (this.#isShown(id)) this.#emit({ type: 'completed', id, at: now(), cached, ...more });
  }

  /** An empty root and the stacking of layers are no steps a user thinks of. */
  #isShown(id: VertexId): boolean {
    const kind = this.#vertices.get(id)?.op.kind;
    return kind !== undefined && kind !== 'scratch' && kind !== 'merge';
  }
}
