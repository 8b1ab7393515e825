/**
 * Collects vertices. A vertex is named by a digest of what it is, so the same step written twice (or planned for two
 * platforms that don't matter to it) is one vertex.
 */
import { hexOf } from '@tsbuild/core';
import { digestOf, type Encodable } from '../keys/encode.js';
import type { Op, Vertex, VertexId } from '../ops.js';

export class GraphBuilder {
  readonly vertices = new Map<VertexId, Vertex>();

  /** @returns the id; what is shown of a vertex that is there already stays as it was */
  add(vertex: Omit<Vertex, 'id'>): VertexId {
    const { op, platform, ignoreCache } = vertex;
    const identity = [plain(op), op.kind === 'run' ? plain(platform) : null, ignoreCache];
    const id = hexOf(digestOf(identity));
    if (!this.vertices.has(id)) this.vertices.set(id, { ...vertex, id });
    return id;
  }

  opOf(id: VertexId): Op {
    const vertex = this.vertices.get(id);
    if (vertex === undefined) throw new Error(`vertex ${id} is missing`);
    return vertex.op;
  }
}

/** Ops are plain data by contract; the type checker can't see that interfaces are. */
function plain(value: object): Encodable {
  return value as Encodable;
}
