/** One build, from options to outputs: context, Dockerfile, plan, solve, export. */
import { randomBytes } from 'node:crypto';
import { type EventSink, formatPlatform, PatternMatcher, TsbuildError } from '@tsbuild/core';
import { parseDockerfile } from '@tsbuild/parser';
import { normalizeReference } from '@tsbuild/registry';
import { type BuildPlan, planBuild, type SourceResolver, solve } from '@tsbuild/solver';
import type { BuildOptions, BuildResult, BuildWarning } from '../api/types.js';
import type { SolvedImage } from '../export/image.js';
import {
  checkOutputs,
  type OutputWork,
  wantedOutputs,
  writeOutputs,
  type WrittenOutputs,
} from '../export/outputs.js';
import { withImports } from '../remote-cache/imports.js';
import { readKeys } from '../remote-cache/signing-keys.js';
import { createResolver } from '../resolve/resolver.js';
import { keepBelow } from '../store/ceiling.js';
import type { OperationContext } from './context.js';
import { exportCaches } from './export-caches.js';
import { planOptions, wantedPlatforms } from './plan-options.js';
import { prepareContext } from './prepare-context.js';
import { agentsOf, secretReader, sshSocket } from './secrets.js';
import { withStep } from './step.js';
import { openWorkshop, type Workshop } from './workshop.js';

type Options = Omit<BuildOptions, 'signal' | 'onEvent'>;

export async function runBuild(options: Options, context: OperationContext): Promise<BuildResult> {
  try {
    return await buildWithAgents(options, context);
  } finally {
    // After a failure too: it leaves the results of the steps before.
    if (!options.check) await keepBelow(options, context);
  }
}

async function buildWithAgents(options: Options, context: OperationContext): Promise<BuildResult> {
  if (!options.ssh?.some(({ keys }) => keys !== undefined)) return await buildImages(options, context);
  const { startAgents } = await import('./ssh-agents.js');
  const agents = await startAgents(options.ssh, options.root, context.signal);
  try {
    return await buildImages({ ...options, ssh: agents.ssh }, context);
  } finally {
    await agents.close();
  }
}

async function buildImages(options: Options, context: OperationContext): Promise<BuildResult> {
  const tags = (options.tags ?? []).map(normalizeReference);
  const outputs = wantedOutputs(options);
  const platforms = wantedPlatforms(options.platforms);
  checkOutputs(outputs, tags, platforms.length);
  await readKeys(options);
  const prepared = await prepareContext(options, context);
  const workshop = await openWorkshop(
    {
      ...options,
      contexts: prepared.contexts,
      secret: secretReader(options.secrets ?? []),
      sshAgent: sshSocket(agentsOf(options)),
    },
    context,
  ).catch(async (error: unknown) => {
    await prepared.close();
    throw error;
  });
  try {
    const { dockerfile } = prepared;
    const tree = await withStep(
      context.emit,
      { id: 'internal:dockerfile', name: `[internal] load build definition from ${dockerfile.name}` },
      async () => parseDockerfile(dockerfile.text, dockerfile.name),
    );
    const resolver = createResolver({
      store: workshop.store,
      repositories: workshop.registries.repository,
      pull: options.pull ?? false,
      buildContexts: options.buildContexts ?? {},
    });
    const patterns = prepared.contexts.get('context')?.ignore?.patterns;
    const ignored = patterns === undefined ? {} : { ignore: new PatternMatcher(patterns) };
    const shown = showResolving(resolver, context.emit);
    const plans = await Promise.all(
      platforms.map((wanted) =>
        planBuild(
          tree,
          { ...planOptions(options, wanted, context.signal, platforms.length > 1), ...ignored },
          shown,
        ),
      ),
    );
    const warnings = emitWarnings(plans, dockerfile.name, context.emit);
    const work = { workshop, outputs, tags, options, context };
    const written = options.check ? { outputs: [], names: [] } : await makeResults(plans, work);
    const { digest, configDigest, descriptor } = written.image ?? {};
    return {
      ...(digest === undefined ? {} : { digest }),
      ...(configDigest === undefined ? {} : { configDigest }),
      names: written.names,
      platforms: platforms.map(({ platform }) => formatPlatform(platform)),
      outputs: written.outputs,
      warnings,
      metadata: {
        'buildx.build.ref': `tsbuild/default/${randomBytes(16).toString('hex')}`,
        ...(configDigest === undefined ? {} : { 'containerimage.config.digest': configDigest }),
        ...(descriptor === undefined ? {} : { 'containerimage.descriptor': descriptor }),
        ...(digest === undefined ? {} : { 'containerimage.digest': digest }),
        ...(written.names.length > 0 ? { 'image.name': written.names.join(',') } : {}),
      },
    };
  } finally {
    await workshop.close();
    await prepared.close();
  }
}

/** Once more where a shared cache named a layer that it then did not give: without that cache. */
async function makeResults(
  plans: readonly BuildPlan[],
  work: Omit<OutputWork, 'images'>,
): Promise<WrittenOutputs> {
  const { workshop, options, context } = work;
  for (let tries = workshop.imports.found.length; ; tries--) {
    try {
      const images = await solvePlans(plans, workshop, context);
      const written = await writeOutputs({ ...work, images });
      await exportCaches(images, options.cacheTo, workshop, context);
      return written;
    } catch (error) {
      const again = TsbuildError.is(error) && error.code === 'TSB_CACHE_UNAVAILABLE' && tries > 0;
      if (!again) throw error;
    }
  }
}

async function solvePlans(
  plans: readonly BuildPlan[],
  workshop: Workshop,
  { emit, signal }: OperationContext,
): Promise<SolvedImage[]> {
  for (const { vertices } of plans) {
    for (const { op } of vertices.values()) if (op.kind === 'image') workshop.learn(op);
  }
  const { executor: worker, store } = workshop;
  const cache = withImports(store.steps, workshop.imports);
  const solved = await solve({ plans, worker, cache, emit, signal });
  return solved.map((result) => ({ ...result, platform: result.plan.imagePlatform }));
}

/** Each question to a registry or the store shows as a step, once per image. */
function showResolving(resolver: SourceResolver, emit: EventSink): SourceResolver {
  const asked = new Map<string, Promise<unknown>>();
  return {
    ...resolver,
    async resolveImage(reference, platform, signal) {
      const name = normalizeReference(reference);
      const id = `internal:metadata:${name}:${formatPlatform(platform)}`;
      const again = asked.has(id);
      const work = () => resolver.resolveImage(reference, platform, signal);
      if (again) return await work();
      const first = withStep(emit, { id, name: `[internal] load metadata for ${name}`, signal }, work);
      asked.set(id, first);
      return await first;
    },
  };
}

/** Warnings of all platforms, each said once. */
function emitWarnings(plans: readonly BuildPlan[], file: string, emit: EventSink): BuildWarning[] {
  const said = new Map<string, BuildWarning>();
  for (const { rule, message, range } of plans.flatMap(({ warnings }) => warnings)) {
    const key = JSON.stringify([rule, message, range]);
    if (said.has(key)) continue;
    said.set(key, { rule, message, ...(range ? { line: range.startLine } : {}) });
    emit({ type: 'warning', rule, message, file, ...(range ? { range } : {}) });
  }
  return [...said.values()];
}
