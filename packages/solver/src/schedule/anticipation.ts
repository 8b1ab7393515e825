/**
 * Which bases to make in advance. A step that reads another stage knows its own key only once that stage is made, and
 * will most likely run itself if the stage had to; its base need not wait for that.
 */
import { dependencies } from '../graph.js';
import type { Vertex, VertexId } from '../ops.js';

export class Anticipation {
  readonly #vertices: ReadonlyMap<VertexId, Vertex>;
  /** Steps whose inputs are being made, with all vertices that may have to run for that. */
  readonly #waiting = new Map<VertexId, ReadonlySet<VertexId>>();
  readonly #closures = new Map<VertexId, ReadonlySet<VertexId>>();

  constructor(vertices: ReadonlyMap<VertexId, Vertex>) {
    this.#vertices = vertices;
  }

  /** The step waits for what it reads. */
  wait(step: VertexId, inputs: readonly VertexId[]): void {
    if (inputs.length === 0) return;
    this.#waiting.set(step, new Set(inputs.flatMap((input) => [...this.#closure(input)])));
  }

  /** The step's inputs are there. */
  ready(step: VertexId): void {
    this.#waiting.delete(step);
  }

  /** Steps that wait for something that turned out to have to run; each is told once. */
  missed(running: VertexId): VertexId[] {
    const steps = [...this.#waiting].filter(([, inputs]) => inputs.has(running)).map(([step]) => step);
    for (const step of steps) this.#waiting.delete(step);
    return steps;
  }

  /** The vertex and all it may need. */
  #closure(id: VertexId): ReadonlySet<VertexId> {
    const known = this.#closures.get(id);
    if (known !== undefined) return known;
    const op = this.#vertices.get(id)?.op;
    const below = op === undefined ? [] : dependencies(op);
    const closure = new Set([id, ...below.flatMap((input) => [...this.#closure(input)])]);
    this.#closures.set(id, closure);
    return closure;
  }
}
