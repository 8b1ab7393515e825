/** Names of steps against the cache records that BuildKit exported for the same Dockerfiles (see record.ts). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type Digest, formatPlatform, parsePlatform } from '@tsbuild/core';
import { parseDockerfile } from '@tsbuild/parser';
import {
  type BuildkitInput,
  type BuildkitNode,
  type BuildkitSource,
  buildkitView,
  type BuildPlan,
  contentRecord,
  planBuild,
  type SourceResolver,
  type VertexId,
} from '../../src/index.js';
import { cases, type KeyCase } from './cases.js';
import type { GoldenKeys, RecordedKey } from './record.js';

const golden = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../../test/buildkit-keys/golden/records.json'), 'utf8'),
) as GoldenKeys;

const resolver: SourceResolver = {
  resolveImage: async (reference, platform) => {
    const base = golden.bases[formatPlatform(platform)];
    assert.ok(base, `no base for ${formatPlatform(platform)}`);
    const diffIds = base.diffIds as Digest[];
    return {
      op: {
        kind: 'image',
        reference,
        manifest: { mediaType: '', digest: base.named as Digest, size: 1 },
        named: base.named as Digest,
        diffIds,
        layers: [],
        origin: { type: 'registry' },
      },
      config: { ...platform, config: { Env: base.env }, rootfs: { type: 'layers', diff_ids: diffIds } },
    };
  },
  resolveNamedContext: async () => undefined,
};

async function planCase({
  dockerfile,
  buildArgs = {},
  platform,
  target,
  network,
  options = {},
}: KeyCase): Promise<BuildPlan> {
  const amd64 = { os: 'linux', architecture: 'amd64' };
  return await planBuild(
    parseDockerfile(dockerfile, 'Dockerfile'),
    {
      buildArgs,
      labels: {},
      platform: platform === undefined ? amd64 : parsePlatform(platform),
      platformExplicit: platform !== undefined,
      buildPlatform: amd64,
      noCache: false,
      entitlements: ['network.host'],
      extraHosts: [],
      ulimits: [],
      namedContexts: [],
      network: network ?? 'host',
      ...(target === undefined ? {} : { target }),
      ...options,
      signal: new AbortController().signal,
    },
    resolver,
  );
}

/** Looks a plan's vertices up among recorded records; what was not found is told by name. */
class Lookup {
  readonly misses: string[] = [];
  readonly #plan: BuildPlan;
  readonly #records: readonly RecordedKey[];

  constructor(plan: BuildPlan, records: readonly RecordedKey[]) {
    this.#plan = plan;
    this.#records = records;
  }

  vertex(id: VertexId): Digest[] {
    const view = buildkitView(this.#plan.vertices, id);
    if ('same' in view) return this.vertex(view.same);
    const found = this.#node(view);
    if (view.records.length > 0 && found.length === 0) {
      this.misses.push(this.#plan.vertices.get(id)?.name ?? id);
    }
    return found;
  }

  #node(node: BuildkitNode): Digest[] {
    const inputs = node.inputs.map((input) => ({ input, records: this.#source(input.source) }));
    return node.records.filter((digest) =>
      this.#records.some(
        (record) =>
          record.digest === digest &&
          (record.inputs ?? []).length === inputs.length &&
          inputs.every(({ input, records }, index) => linked(record.inputs?.[index] ?? [], input, records)),
      ),
    );
  }

  #source(source: BuildkitSource): Digest[] {
    return source.type === 'vertex' ? this.vertex(source.id) : this.#node(source.node);
  }
}

/** The content of files is tested elsewhere: here any link without a selector will do for it. */
function linked(links: [string, string?][], input: BuildkitInput, records: readonly Digest[]): boolean {
  const byKey = links.some(
    ([digest, selector = '']) => selector === input.selector && records.includes(digest as Digest),
  );
  const { content } = input;
  if (content?.type === 'known') {
    const digest = contentRecord(content.digest);
    return (
      links.some(([each, selector = '']) => selector === '' && each === digest) &&
      (byKey || records.length === 0)
    );
  }
  if (content === undefined || records.length > 0) return byKey;
  return links.some(([, selector = '']) => selector === '');
}

describe("steps have the names of BuildKit's cache records", () => {
  for (const each of cases) {
    it(each.name, async () => {
      const plan = await planCase(each);
      const lookup = new Lookup(plan, golden.cases[each.name] ?? []);
      for (const id of plan.vertices.keys()) lookup.vertex(id);
      assert.deepEqual([...new Set(lookup.misses)], []);
    });
  }
});
