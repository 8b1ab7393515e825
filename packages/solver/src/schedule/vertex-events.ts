/** Tells the views what happens to vertices: each is planned once, starts at most once and completes at most once. */
import { type EventSink, formatPlatform } from '@tsbuild/core';
import { dependencies } from '../graph.js';
import type { StepResult } from '../interfaces.js';
import type { Vertex, VertexId } from '../ops.js';
import type { BuildPlan } from '../plan.js';

export class VertexEvents {
  readonly #plan: BuildPlan;
  readonly #emit: EventSink;
  readonly #started = new Set<VertexId>();
  readonly #completed = new Set<VertexId>();

  constructor(plan: BuildPlan, emit: EventSink) {
    this.#plan = plan;
    this.#emit = emit;
  }

  planned(): void {
    for (const vertex of this.#shown()) {
      this.#emit({
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

  /** Runs the vertex' own work between its start and its completion. */
  async during<T>(vertex: Vertex, work: () => Promise<T>): Promise<T> {
    this.#start(vertex);
    try {
      const result = await work();
      this.#complete(vertex, { cached: false, usage: usageOf(result) });
      return result;
    } catch (error) {
      this.#fail(vertex, error);
      throw error;
    }
  }

  /** Shows a failure before the vertex' own work began (its inputs could not be read) as the vertex' failure. */
  async failing<T>(vertex: Vertex, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.#fail(vertex, error);
      throw error;
    }
  }

  cached(vertex: Vertex): void {
    this.#start(vertex);
    this.#complete(vertex, { cached: true });
  }

  /** After success: what was never asked for was contained in a hit. */
  restAsCached(): void {
    for (const vertex of this.#shown()) this.cached(vertex);
  }

  #start(vertex: Vertex): void {
    if (this.#started.has(vertex.id) || !this.#isShown(vertex.id)) return;
    this.#started.add(vertex.id);
    this.#emit({ type: 'started', id: vertex.id, at: Date.now() });
  }

  #fail(vertex: Vertex, error: unknown): void {
    const canceled = error instanceof Error && error.name === 'AbortError';
    const message = error instanceof Error ? error.message : String(error);
    this.#start(vertex);
    this.#complete(vertex, { cached: false, error: message, ...(canceled ? { canceled } : {}) });
  }

  #complete(
    vertex: Vertex,
    outcome: { cached: boolean; error?: string; canceled?: boolean; usage?: StepResult['usage'] },
  ): void {
    if (this.#completed.has(vertex.id) || !this.#isShown(vertex.id)) return;
    this.#completed.add(vertex.id);
    const { usage, ...rest } = outcome;
    this.#emit({ type: 'completed', id: vertex.id, at: Date.now(), ...rest, ...(usage === undefined ? {} : { usage }) });
  }

  /** Scratch, local contexts and merges are no steps a user thinks of. */
  #isShown(id: VertexId): boolean {
    const kind = this.#plan.vertices.get(id)?.op.kind;
    return kind === 'image' || kind === 'http' || kind === 'git' || kind === 'run' || kind === 'file';
  }

  #shown(): Vertex[] {
    return [...this.#plan.vertices.values()].filter((vertex) => this.#isShown(vertex.id));
  }
}

function usageOf(result: unknown): StepResult['usage'] {
  return typeof result === 'object' && result !== null && 'usage' in result
    ? (result as StepResult).usage
    : undefined;
}
