/** Writes steps as records of BuildKit's cache, so that `docker buildx build --cache-from` finds them. */
import type { Digest } from '@tsbuild/core';
import {
  type BuildkitInput,
  type BuildkitNode,
  type BuildkitSource,
  buildkitView,
  contentRecord,
  type Vertex,
  type VertexId,
} from '@tsbuild/solver';
import type { BuildkitConfig, BuildkitLink, BuildkitRecord, BuildkitResult } from './buildkit-config.js';
import type { BuildkitContentOf } from './buildkit-lookup.js';

/** Collects records of the steps of one or several plans. */
export class BuildkitRecords {
  readonly config: BuildkitConfig = { layers: [], records: [] };
  readonly #layers = new Map<string, number>();
  /** By what makes a record: its digest and its links. */
  readonly #records = new Map<string, number>();

  /** @param blobs of a root file system, bottom first; none for the empty one */
  addLayers(blobs: readonly Digest[]): number | undefined {
    let chain = '';
    let parent: number | undefined;
    for (const blob of blobs) {
      chain += `${blob} `;
      let at = this.#layers.get(chain);
      if (at === undefined) {
        at = this.config.layers.push(parent === undefined ? { blob } : { blob, parent }) - 1;
        this.#layers.set(chain, at);
      }
      parent = at;
    }
    return parent;
  }

  addRecord(digest: Digest, inputs: BuildkitLink[][] = []): number {
    const name = JSON.stringify([digest, inputs]);
    const known = this.#records.get(name);
    if (known !== undefined) return known;
    const at = this.config.records.push({ digest, inputs, results: [] }) - 1;
    this.#records.set(name, at);
    return at;
  }

  addResult(record: number, result: BuildkitResult): void {
    const { results } = this.config.records[record] as BuildkitRecord;
    if (results.length === 0) results.push(result);
  }
}

/** A step's result: the blobs of its layers, and when it was made. */
export interface StepLayers {
  blobs: readonly Digest[];
  createdAt: string;
}

/**
 * Adds the steps of a plan with all they are made from.
 * @param steps by vertex; what is not in it has no result of its own
 */
export async function addSteps(
  target: BuildkitRecords,
  vertices: ReadonlyMap<VertexId, Vertex>,
  steps: ReadonlyMap<VertexId, StepLayers>,
  contentOf: BuildkitContentOf,
): Promise<void> {
  const known = new Map<VertexId, Promise<number[]>>();

  /** Indexes of the vertex' records; none where BuildKit could not find it by its key. */
  const recordsOf = (id: VertexId): Promise<number[]> => {
    const before = known.get(id);
    if (before !== undefined) return before;
    const view = buildkitView(vertices, id);
    const added = 'same' in view ? recordsOf(view.same) : addNode(view);
    known.set(id, added);
    return added;
  };

  const addNode = async ({ records, inputs }: BuildkitNode): Promise<number[]> => {
    const links: BuildkitLink[][] = [];
    for (const input of inputs) links.push(await linksTo(input));
    if (links.some(({ length }) => length === 0)) return [];
    return records.map((digest) => target.addRecord(digest, links));
  };

  const linksTo = async ({ source, selector, content }: BuildkitInput): Promise<BuildkitLink[]> => {
    const links = (await sourceRecords(source)).map((record) => ({ record, selector }));
    const digest =
      content?.type === 'read' ? await contentOf(content.from, content.selectors) : content?.digest;
    if (digest === undefined) return links;
    return [...links, { record: target.addRecord(contentRecord(digest)), selector: '' }];
  };

  const sourceRecords = (source: BuildkitSource): Promise<number[]> =>
    source.type === 'vertex' ? recordsOf(source.id) : addNode(source.node);

  for (const [id, { blobs, createdAt }] of steps) {
    const records = await recordsOf(id);
    const top = target.addLayers(blobs);
    if (top === undefined) continue;
    for (const record of records) target.addResult(record, { top, createdAt });
  }
}
