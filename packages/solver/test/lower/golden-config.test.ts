/** The image config, the names of steps and the errors of the cases, compared byte by byte with what BuildKit made. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type Digest, type ImageConfig, normalizePlatform, parsePlatform, sha256 } from '@tsbuild/core';
import { parseDockerfile } from '@tsbuild/parser';
import {
  type BuildPlan,
  encodeConfig,
  finalizeImage,
  planBuild,
  type PlanOptions,
  type Ref,
  type SnapshotId,
  type SourceResolver,
} from '../../src/index.js';
import { cases, type GoldenCase } from '../golden-config/cases.js';
import type { GoldenRecord } from '../record-peer.js';

const folder = join(import.meta.dirname, '../../../test/golden-config/golden');
const read = <T>(name: string) => JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as T;
const bases = read<Record<string, ImageConfig>>('bases');
const amd64 = { os: 'linux', architecture: 'amd64' };

const resolver: SourceResolver = {
  async resolveImage(reference, platform) {
    const base = bases[reference.replace('golden.test/', '')];
    if (base === undefined) throw new Error(`${reference} must not be asked for`);
    // The one base for several platforms differs in nothing else.
    const config = reference.endsWith('busybox') ? { ...base, architecture: platform.architecture } : base;
    return {
      op: {
        kind: 'image',
        reference,
        manifest: { mediaType: '', digest: sha256(reference), size: 1 },
        diffIds: config.rootfs.diff_ids,
        layers: [],
        origin: { type: 'registry' },
      },
      config,
    };
  },
  resolveNamedContext: async () => undefined,
};

function planCase(each: GoldenCase): Promise<BuildPlan> {
  const options: PlanOptions = {
    ...(each.target === undefined ? {} : { target: each.target }),
    buildArgs: each.buildArgs ?? {},
    labels: each.labels ?? {},
    platform: each.platform === undefined ? amd64 : normalizePlatform(parsePlatform(each.platform)),
    platformExplicit: each.platform !== undefined,
    buildPlatform: amd64,
    noCache: false,
    entitlements: [],
    extraHosts: [],
    ulimits: [],
    namedContexts: [],
    signal: new AbortController().signal,
  };
  return planBuild(parseDockerfile(each.dockerfile, 'Dockerfile'), options, resolver);
}

/** Layers made at the times BuildKit made them, so that all other times can be compared; with an epoch at any time. */
function layersLike(config: ImageConfig, plan: BuildPlan): Ref {
  const times = (config.history ?? [])
    .filter((entry) => !entry.empty_layer)
    .map(({ created }) => (plan.sourceDateEpoch === undefined ? created : '2026-01-01T00:00:00.5Z'));
  const known = plan.base?.rootfs.diff_ids.length ?? 0;
  return {
    layers: config.rootfs.diff_ids.map((diffId, index) => ({
      snapshot: diffId as string as SnapshotId,
      diffId,
      ...(index < known || times[index] === undefined ? {} : { createdAt: times[index] }),
    })),
  };
}

function stepsOf(plan: BuildPlan): string[] {
  const shown = [...plan.vertices.values()].filter(
    ({ op }) => op.kind !== 'scratch' && op.kind !== 'merge' && op.kind !== 'local',
  );
  return shown.map(({ name }) => name.replace(/@sha256:[0-9a-f]{64}$/, '')).sort();
}

/** Errors that are said differently, or come later: not while planning. */
const ownErrors: Record<string, string | undefined> = {
  'epoch-bad': 'invalid SOURCE_DATE_EPOCH: now',
  'error-platform-bad': 'failed to parse platform "a/b/c/d"',
  'error-network-host': 'network.host is not allowed',
  'error-missing-file': undefined,
  'error-mount-later': 'cannot mount from stage "z", it needs to be defined before current stage "a"',
};

/** BuildKit counts triggers into neither their own total nor, right, into that of what follows. */
const uncounted = (name: string) => name.replace(/\d+\/\d+\] /, '] ');

describe('configs, steps and errors as BuildKit makes them', () => {
  for (const each of cases) {
    it(each.name, async () => {
      const record = read<GoldenRecord>(each.name);
      const made = await planCase(each).then(
        (plan) => ({ plan }),
        (error: unknown) => ({ error: error instanceof Error ? error.message : String(error) }),
      );
      if (record.config === undefined) {
        const expected = each.name in ownErrors ? ownErrors[each.name] : record.error;
        assert.equal('error' in made ? made.error : undefined, expected);
        return;
      }
      assert.ok('plan' in made, 'error' in made ? made.error : '');
      // For no layers Go writes null, where the specification wants an array.
      const text = record.config.replace('"created":null,', '').replace('"diff_ids":null', '"diff_ids":[]');
      const expected = JSON.parse(text) as ImageConfig;
      const diffIds: Digest[] = expected.rootfs.diff_ids;
      const config = finalizeImage(made.plan, layersLike(expected, made.plan), diffIds);
      assert.deepEqual(JSON.parse(encodeConfig(config).toString()), expected);
      assert.equal(encodeConfig(config).toString(), text);
      const steps = (record.steps ?? []).filter((name) => !name.includes('] LINK '));
      const shown = each.name.startsWith('onbuild') ? uncounted : (name: string) => name;
      assert.deepEqual(stepsOf(made.plan).map(shown).sort(), steps.map(shown).sort());
    });
  }
});
