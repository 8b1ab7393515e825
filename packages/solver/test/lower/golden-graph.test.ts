/**
 * Dockerfiles to graphs: test/golden/CASE/{Dockerfile, options.json, graph.txt}. `GOLDEN=write` renews the texts; read
 * the difference before it is committed.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { formatPlatform, parsePlatform, type Platform, sha256 } from '@tsbuild/core';
import { parseDockerfile } from '@tsbuild/parser';
import {
  type BuildPlan,
  planBuild,
  type PlanOptions,
  type ResolvedImage,
  type SourceResolver,
} from '../../src/index.js';

const folder = join(import.meta.dirname, '../../../test/golden');

interface CaseOptions
  extends Partial<
    Pick<
      PlanOptions,
      'target' | 'buildArgs' | 'noCache' | 'extraHosts' | 'ulimits' | 'shmSize' | 'showPlatform'
    >
  > {
  platform?: string;
  allow?: string[];
  contexts?: Record<string, 'image' | 'local'>;
}

function imageOf(reference: string, platform: Platform): ResolvedImage {
  const name = `${reference} ${formatPlatform(platform)}`;
  const diffId = sha256(name);
  return {
    op: {
      kind: 'image',
      reference,
      manifest: { mediaType: '', digest: sha256(`m ${name}`), size: 1 },
      diffIds: [diffId],
      layers: [],
      origin: { type: 'registry' },
    },
    config: {
      ...platform,
      config: {
        Env: ['PATH=/bin'],
        ...(reference === 'trigger' ? { OnBuild: ['ENV T=$B', 'COPY f /$T/', 'RUN <<E\necho $T\nE'] } : {}),
      },
      rootfs: { type: 'layers', diff_ids: [diffId] },
    },
  };
}

async function planCase(name: string): Promise<BuildPlan> {
  const path = join(folder, name, 'options.json');
  const given = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as CaseOptions) : {};
  const { platform, allow, contexts = {}, ...rest } = given;
  const amd64 = { os: 'linux', architecture: 'amd64' };
  const resolver: SourceResolver = {
    resolveImage: async (reference, wanted) => imageOf(reference, wanted),
    resolveNamedContext: async (context, wanted) => {
      if (contexts[context] === 'image') return imageOf(`context-${context}`, wanted);
      return contexts[context] === 'local' ? { op: { kind: 'local', name: context } } : undefined;
    },
  };
  const options: PlanOptions = {
    buildArgs: {},
    labels: {},
    platform: platform === undefined ? amd64 : parsePlatform(platform),
    platformExplicit: false,
    buildPlatform: amd64,
    noCache: false,
    entitlements: allow ?? [],
    extraHosts: [],
    ulimits: [],
    namedContexts: Object.keys(contexts),
    signal: new AbortController().signal,
    ...rest,
  };
  return await planBuild(
    parseDockerfile(readFileSync(join(folder, name, 'Dockerfile'), 'utf8'), 'Dockerfile'),
    options,
    resolver,
  );
}

/** One block for each vertex, numbered in order; members that are empty or default are left out. */
function print(plan: BuildPlan): string {
  const numbers = new Map([...plan.vertices.keys()].map((id, index) => [id, `v${index + 1}`]));
  const blocks = [...plan.vertices.values()].map(({ id, name, op, stage, platform, ignoreCache }) => {
    const { kind, ...members } = op;
    const head = [numbers.get(id), kind, JSON.stringify(name.replace(/@sha256:[0-9a-f]{64}/, '@…'))];
    if (stage !== undefined) head.push(`stage=${stage}`);
    if (formatPlatform(platform) !== 'linux/amd64') head.push(`platform=${formatPlatform(platform)}`);
    if (ignoreCache) head.push('no-cache');
    const lines = kind === 'image' ? [] : membersOf(members as Record<string, unknown>, numbers);
    return [head.join(' '), ...lines.map((line) => `    ${line}`)].join('\n');
  });
  return `${blocks.join('\n')}\nresult ${numbers.get(plan.result)}\n`;
}

function membersOf(members: Record<string, unknown>, numbers: ReadonlyMap<string, string>): string[] {
  const show = (value: unknown) =>
    JSON.stringify(value, (_, each: unknown) =>
      typeof each === 'string' ? (numbers.get(each) ?? each) : each,
    );
  return Object.entries(members).flatMap(([name, value]) => {
    if (Array.isArray(value) && value.length === 0) return [];
    if ((name === 'hostname' && value === 'buildkitsandbox') || (name === 'security' && value === 'sandbox'))
      return [];
    if ((name === 'network' && value === 'default') || name === 'mountsAsWritten') return [];
    if (name === 'actions' || name === 'mounts')
      return (value as unknown[]).map((each) => `${name.slice(0, -1)} ${show(each)}`);
    return [`${name} ${show(value)}`];
  });
}

describe('graphs of Dockerfiles', () => {
  for (const name of readdirSync(folder).sort()) {
    it(name, async () => {
      const graph = print(await planCase(name));
      const path = join(folder, name, 'graph.txt');
      if (process.env['GOLDEN'] === 'write') writeFileSync(path, graph);
      assert.equal(graph, readFileSync(path, 'utf8'));
    });
  }
});
