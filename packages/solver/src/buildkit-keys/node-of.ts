/** BuildKit's view of a graph. */
import { chainId, type Digest, type Platform, sha256 } from '@tsbuild/core';
import type { ImageOp, Vertex, VertexId } from '../ops.js';
import { fileNode } from './file-op.js';
import { goJson, omitEmpty } from './go-json.js';
import { InputList } from './input-list.js';
import { type BuildkitNode, recordOf } from './node.js';
import { runNode } from './run-op.js';

export type BuildkitView =
  | BuildkitNode
  /** BuildKit has no vertex of its own here: a layer that is put on nothing. */
  | { same: VertexId };

/** How BuildKit's cache would name the vertex. A build context, a URL and a repository have no records: content tells them. */
export function buildkitView(vertices: ReadonlyMap<VertexId, Vertex>, id: VertexId): BuildkitView {
  const { op, platform } = vertexOf(vertices, id);
  const sourceOf = (each: VertexId) => sourceIn(vertices, each);
  switch (op.kind) {
    case 'scratch':
    case 'local':
    case 'http':
    case 'git':
      return { records: [], inputs: [] };
    case 'image':
      return { records: imageRecords(op, platform), inputs: [] };
    case 'run':
      return runNode(op, platform, new InputList(sourceOf));
    case 'file':
      if (sourceOf(id) !== id) return { records: [], inputs: [] };
      return fileNode(op, new InputList(sourceOf));
    case 'merge':
      return mergeView(sourceOf(op.lower), sourceOf(op.upper));
  }
}

function vertexOf(vertices: ReadonlyMap<VertexId, Vertex>, id: VertexId): Vertex {
  const vertex = vertices.get(id);
  if (vertex === undefined) throw new Error(`vertex ${id} is not in the graph`);
  return vertex;
}

/** The vertex that BuildKit has here; undefined for the empty file system. */
function sourceIn(vertices: ReadonlyMap<VertexId, Vertex>, id: VertexId): VertexId | undefined {
  const { op } = vertexOf(vertices, id);
  if (op.kind === 'scratch') return undefined;
  const [action] = op.kind === 'file' ? op.actions : [];
  return action?.type === 'copy' && action.wholeContext ? action.from : id;
}

/**
 * By what its name stands for, and by its layers (source/containerimage/pull.go): BuildKit looks for the first, and for
 * the second where that isn't found.
 */
function imageRecords(op: ImageOp, platform: Platform): Digest[] {
  const manifest =
    op.named === undefined
      ? []
      : [
          sha256(
            goJson({
              Digest: op.named,
              OS: platform.os,
              Arch: platform.architecture,
              ...omitEmpty({
                Variant: platform.variant,
                OSVersion: platform['os.version'],
                OSFeatures: platform['os.features'],
              }),
            }),
          ),
        ];
  const layers = op.diffIds.length === 0 ? [] : [chainId(op.diffIds)];
  return [...manifest, ...layers].map((key) => recordOf(sha256(`buildkit.source.v0:${key}`)));
}

/** What is put on nothing, or nothing on something, is no merge. */
function mergeView(lower: VertexId | undefined, upper: VertexId | undefined): BuildkitView {
  if (lower === undefined || upper === undefined) {
    const same = lower ?? upper;
    return same === undefined ? { records: [], inputs: [] } : { same };
  }
  const operation = { Type: 'buildkit.merge.v0', Merge: { inputs: [{}, { input: 1 }] } };
  return {
    records: [recordOf(sha256(goJson(operation)))],
    inputs: [lower, upper].map((id) => ({ source: { type: 'vertex', id }, selector: '' })),
  };
}
