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

interface Search {
  contentOf: BuildkitContentOf;
  /** What the search has come upon. */
  seen: Map<VertexId, Promise<ReadonlySet<number>>>;
}

export class BuildkitLookup {
  readonly #records: readonly BuildkitRecord[];
  readonly #byDigest = new Map<Digest, number[]>();
  readonly #vertices: ReadonlyMap<VertexId, Vertex>;
  /** Records of vertices; a vertex that has none may have some once more content is known. */
  readonly #found = new Map<VertexId, ReadonlySet<number>>();
  readonly #contents = new Map<string, Digest>();

  constructor({ records }: BuildkitConfig, vertices: ReadonlyMap<VertexId, Vertex>) {
    this.#records = records;
    this.#vertices = vertices;
    for (const [index, { digest }] of records.entries()) {
      const known = this.#byDigest.get(digest);
      if (known === undefined) this.#byDigest.set(digest, [index]);
      else known.push(index);
    }
  }

  /** Results of the step, the newest first. */
  async results(id: VertexId, contentOf: BuildkitContentOf): Promise<BuildkitResult[]> {
    const records = await this.#recordsOf(id, { contentOf, seen: new Map() });
    return [...records]
      .flatMap((index) => this.#records[index]?.results ?? [])
      .sort((a, b) => (a.createdAt < b.createdAt ? 1 : a.createdAt > b.createdAt ? -1 : 0));
  }

  #recordsOf(id: VertexId, search: Search): Promise<ReadonlySet<number>> {
    const known = this.#found.get(id);
    if (known !== undefined) return Promise.resolve(known);
    const seen = search.seen.get(id);
    if (seen !== undefined) return seen;
    const view = buildkitView(this.#vertices, id);
    const records = 'same' in view ? this.#recordsOf(view.same, search) : this.#matches(view, search);
    const kept = records.then((found) => {
      if (found.size > 0) this.#found.set(id, found);
      return found;
    });
    search.seen.set(id, kept);
    return kept;
  }

  #sourceRecords(source: BuildkitSource, search: Search): Promise<ReadonlySet<number>> {
    return source.type === 'vertex' ? this.#recordsOf(source.id, search) : this.#matches(source.node, search);
  }

  async #content(
    from: VertexId,
    selectors: readonly BuildkitSelector[],
    { contentOf }: Search,
  ): Promise<Digest | undefined> {
    const name = JSON.stringify([from, selectors]);
    const digest = this.#contents.get(name) ?? (await contentOf(from, selectors));
    if (digest !== undefined) this.#contents.set(name, digest);
    return digest;
  }

  async #matches(node: BuildkitNode, search: Search): Promise<ReadonlySet<number>> {
    let candidates = node.records
      .flatMap((digest) => this.#byDigest.get(digest) ?? [])
      .filter((index) => this.#records[index]?.inputs.length === node.inputs.length);
    for (const [at, input] of node.inputs.entries()) {
      if (candidates.length === 0) break;
      candidates = await this.#matching(candidates, at, input, search);
    }
    return new Set(candidates);
  }

  /** Those whose input may be this one. */
  async #matching(
    candidates: readonly number[],
    at: number,
    input: BuildkitInput,
    search: Search,
  ): Promise<number[]> {
    const linksOf = (index: number) => this.#records[index]?.inputs[at] ?? [];
    const sources = await this.#sourceRecords(input.source, search);
    const byKey = candidates.filter((index) =>
      linksOf(index).some(({ record, selector }) => selector === input.selector && sources.has(record)),
    );
    const { content } = input;
    const byContentOnly = candidates.filter(
      (index) => !byKey.includes(index) && linksOf(index).some(({ selector }) => selector === ''),
    );
    if (content === undefined || byContentOnly.length === 0) return byKey;
    const digest =
      content.type === 'known'
        ? content.digest
        : await this.#content(content.from, content.selectors, search);
    if (digest === undefined) return byKey;
    const wanted = new Set(this.#byDigest.get(contentRecord(digest)));
    const byContent = byContentOnly.filter((index) =>
      linksOf(index).some(({ record, selector }) => selector === '' && wanted.has(record)),
    );
    return [...byKey, ...byContent];
  }
}
