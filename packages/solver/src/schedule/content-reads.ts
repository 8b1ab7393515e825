/** What a step reads of other vertices: the parts that count by content in its key. */
import type { Selector } from '../interfaces.js';
import type { FileOp, RunOp, VertexId } from '../ops.js';

/** One read of one input. */
export interface ContentRead {
  /** Index of the mount or action. */
  index: number;
  from: VertexId;
  selector: Selector;
}

export function contentReads(op: RunOp | FileOp): ContentRead[] {
  return op.kind === 'run' ? mountReads(op) : copyReads(op);
}

function mountReads(op: RunOp): ContentRead[] {
  return op.mounts.flatMap((mount, index) => {
    if ((mount.type !== 'bind' && mount.type !== 'cache') || mount.from === undefined) return [];
    return [
      { index, from: mount.from, selector: { type: 'path', path: mount.source, followLinks: true } as const },
    ];
  });
}

function copyReads(op: FileOp): ContentRead[] {
  return op.actions.flatMap((action, index) => {
    if (action.type !== 'copy') return [];
    const { source, exclude, parents, unpack, ownerZero } = action;
    const selector = { type: 'copy', action: { source, exclude, parents, unpack, ownerZero } } as const;
    return [{ index, from: action.from, selector }];
  });
}
