/** Inputs of an operation in the order BuildKit numbers them in: of first use, each once. */
import type { VertexId } from '../ops.js';
import type { BuildkitNode, BuildkitSource } from './node.js';

export class InputList {
  readonly sources: BuildkitSource[] = [];
  readonly #indexes = new Map<string, number>();
  /** Whether a vertex is the empty file system, which is no input. */
  readonly isEmpty: (id: VertexId) => boolean;

  constructor(isEmpty: (id: VertexId) => boolean) {
    this.isEmpty = isEmpty;
  }

  get count(): number {
    return this.sources.length;
  }

  /** Index of the vertex; -1 for the empty file system. */
  addVertex(id: VertexId): number {
    return this.isEmpty(id) ? -1 : this.#add(id, { type: 'vertex', id });
  }

  addNode(node: BuildkitNode): number {
    return this.#add(JSON.stringify(node), { type: 'node', node });
  }

  #add(identity: string, source: BuildkitSource): number {
    const known = this.#indexes.get(identity);
    if (known !== undefined) return known;
    this.#indexes.set(identity, this.sources.length);
    return this.sources.push(source) - 1;
  }
}
