/** Edges of the graph, and the part of it that a result needs. */
import type { FileOp, Op, RunOp, Vertex, VertexId } from './ops.js';

/** Vertices whose files a step reads, besides its base: each once, in order of use. */
export function inputsOf(op: RunOp | FileOp): VertexId[] {
  const used =
    op.kind === 'run'
      ? op.mounts.flatMap((mount) => ('from' in mount && mount.from !== undefined ? [mount.from] : []))
      : op.actions.flatMap((action) => (action.type === 'copy' ? [action.from] : []));
  return [...new Set(used)];
}

/** All vertices an op names. */
export function dependencies(op: Op): VertexId[] {
  switch (op.kind) {
    case 'run':
    case 'file':
      return [...new Set([op.base, ...inputsOf(op)])];
    case 'merge':
      return [op.lower, op.upper];
    default:
      return [];
  }
}

/** The result and all it depends on, in the order of `vertices`. */
export function closure(vertices: ReadonlyMap<VertexId, Vertex>, result: VertexId): Map<VertexId, Vertex> {
  const needed = new Set<VertexId>();
  const open = [result];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (needed.has(id)) continue;
    needed.add(id);
    const vertex = vertices.get(id);
    if (vertex === undefined) throw new Error(`vertex ${id} is missing`);
    open.push(...dependencies(vertex.op));
  }
  return new Map([...vertices].filter(([id]) => needed.has(id)));
}
