/**
 * A vertex as BuildKit's cache knows it (BuildKit's solver/cachekey.go, solver/edge.go): a digest of what it does, and
 * for each input how the input is told: by its own key, by the content of what is selected from it, or by either.
 */
import { type Digest, sha256 } from '@tsbuild/core';
import type { VertexId } from '../ops.js';

export interface BuildkitNode {
  /** Digests of the cache records that may stand for it; none where only content tells it (a build context). */
  records: Digest[];
  inputs: BuildkitInput[];
}

export interface BuildkitInput {
  source: BuildkitSource;
  /** Narrows what a link to the source's record means; '' for none. */
  selector: Digest | '';
  /** What of it is compared by content, if it can be. */
  content?: BuildkitContent;
}

export type BuildkitSource =
  | { type: 'vertex'; id: VertexId }
  /** A step that BuildKit has and the graph here has not: a heredoc's file. */
  | { type: 'node'; node: BuildkitNode };

export type BuildkitContent =
  /** The digest follows from the definition. */
  | { type: 'known'; digest: Digest }
  /** Of files of the vertex. */
  | { type: 'read'; from: VertexId; selectors: BuildkitSelector[] };

/** Part of a file system (BuildKit's cache/contenthash). */
export interface BuildkitSelector {
  /** Absolute and clean; '/' for all. */
  path: string;
  wildcard: boolean;
  /** Whether a link as the last part of `path` is followed. */
  followLinks: boolean;
  /** Pattern files must match, relative to `path`; none for all. */
  include: string[];
  exclude: string[];
}

/** Of a step, an image or a merge: their one output. */
export function recordOf(operation: Digest): Digest {
  return sha256(`${operation}@0`);
}

/** Of content: it belongs to no output. */
export function contentRecord(content: Digest): Digest {
  return sha256(`${content}@-1`);
}
