/** Inputs of an operation in the order BuildKit numbers them in: of first use, each once. */
import type { VertexId } from '../ops.js';
import type { BuildkitNode, BuildkitSource } from './node.js';

export class InputList {
  readonly sources: BuildkitSource[] = [];
  readonly #indexes = new Map<string, number>();
  readonly #sourceOf: (id: VertexId) => VertexId | undefined;

  /** @param sourceOf the vertex that BuildKit has in a vertex' place; undefined for the empty file system, which is no input */
  constructor(sourceOf: (id: VertexId) => VertexId | undefined) {
    this.#sourceOf = sourceOf;
  }

  get count(): number {
    return this.sources.length;
  }

  /** Index of the vertex; -1 for the empty file system. */
  addVertex(id: VertexId): number {
    const source = this.sourceOf(id);
    return source === undefined ? -1 : this.#add(source.id, source);
  }

  sourceOf(id: VertexId): Extract<BuildkitSource, { type: 'vertex' }> | undefined {
    const source = this.#sourceOf(id);
    return source === undefined ? undefined : { type: 'vertex', id: source };
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
