/**
 * Finds steps in a cache that BuildKit wrote: by the records of their inputs, and where those differ by the content of
 * what they read, as BuildKit's own solver does (its solver/edge.go).
 */
import type { Digest } from '@tsbuild/core';
import {
  type BuildkitInput,
  type BuildkitNode,
  type BuildkitSelector,
  type BuildkitSource,
  buildkitView,
  contentRecord,
  type Vertex,
  type VertexId,
} from '@tsbuild/solver';
import type { BuildkitConfig, BuildkitRecord, BuildkitResult } from './buildkit-config.js';

/** Digest of a part of a vertex' files; undefined where it cannot be had without fetching them. */
export type BuildkitContentOf = (
  from: VertexId,
  selectors: readonly BuildkitSelector[],
) => Promise<Digest | undefined>;

export class BuildkitLookup {
  readonly #records: readonly BuildkitRecord[];
  readonly #byDigest = new Map<Digest, number[]>();
  readonly #vertices: ReadonlyMap<VertexId, Vertex>;
  readonly #contentOf: BuildkitContentOf;
  readonly #found = new Map<VertexId, Promise<ReadonlySet<number>>>();

  constructor(
    { records }: BuildkitConfig,
    vertices: ReadonlyMap<VertexId, Vertex>,
    contentOf: BuildkitContentOf,
  ) {
    this.#records = records;
    this.#vertices = vertices;
    this.#contentOf = contentOf;
    for (const [index, { digest }] of records.entries()) {
      const known = this.#byDigest.get(digest);
      if (known === undefined) this.#byDigest.set(digest, [index]);
      else known.push(index);
    }
  }

  /** Results of the step, the newest first. */
  async results(id: VertexId): Promise<BuildkitResult[]> {
    const records = await this.#recordsOf(id);
    return [...records]
      .flatMap((index) => this.#records[index]?.results ?? [])
      .sort((a, b) => (a.createdAt < b.createdAt ? 1 : a.createdAt > b.createdAt ? -1 : 0));
  }

  #recordsOf(id: VertexId): Promise<ReadonlySet<number>> {
    const known = this.#found.get(id);
    if (known !== undefined) return known;
    const view = buildkitView(this.#vertices, id);
    const found = 'same' in view ? this.#recordsOf(view.same) : this.#matches(view);
    this.#found.set(id, found);
    return found;
  }

  #sourceRecords(source: BuildkitSource): Promise<ReadonlySet<number>> {
    return source.type === 'vertex' ? this.#recordsOf(source.id) : this.#matches(source.node);
  }

  async #matches(node: BuildkitNode): Promise<ReadonlySet<number>> {
    let candidates = node.records
      .flatMap((digest) => this.#byDigest.get(digest) ?? [])
      .filter((index) => this.#records[index]?.inputs.length === node.inputs.length);
    for (const [at, input] of node.inputs.entries()) {
      if (candidates.length === 0) break;
      candidates = await this.#matching(candidates, at, input);
    }
    return new Set(candidates);
  }

  /** Those whose input may be this one. */
  async #matching(candidates: readonly number[], at: number, input: BuildkitInput): Promise<number[]> {
    const linksOf = (index: number) => this.#records[index]?.inputs[at] ?? [];
    const sources = await this.#sourceRecords(input.source);
    const byKey = candidates.filter((index) =>
      linksOf(index).some(({ record, selector }) => selector === input.selector && sources.has(record)),
    );
    const { content } = input;
    const byContentOnly = candidates.filter(
      (index) => !byKey.includes(index) && linksOf(index).some(({ selector }) => selector === ''),
    );
    if (content === undefined || byContentOnly.length === 0) return byKey;
    const digest =
      content.type === 'known' ? content.digest : await this.#contentOf(content.from, content.selectors);
    if (digest === undefined) return byKey;
    const wanted = new Set(this.#byDigest.get(contentRecord(digest)));
    const byContent = byContentOnly.filter((index) =>
      linksOf(index).some(({ record, selector }) => selector === '' && wanted.has(record)),
    );
    return [...byKey, ...byContent];
  }
}
