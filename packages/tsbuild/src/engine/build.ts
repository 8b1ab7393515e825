/** One build, from options to outputs: context, Dockerfile, plan, solve, export. */
import { randomBytes } from 'node:crypto';
import { type EventSink, formatPlatform, PatternMatcher, TsbuildError } from '@tsbuild/core';
import { parseDockerfile } from '@tsbuild/parser';
import { normalizeReference } from '@tsbuild/registry';
import { type BuildPlan, planBuild, type SourceResolver, solve, type StepObserver } from '@tsbuild/solver';
import type { BuildOptions, BuildResult, BuildWarning, StepExplanation } from '../api/types.js';
import type { SolvedImage } from '../export/image.js';
import {
  checkOutputs,
  type OutputWork,
  wantedOutputs,
  writeOutputs,
  type WrittenOutputs,
} from '../export/outputs.js';
import { BuildkitFinder } from '../remote-cache/buildkit-import.js';
import { withImports } from '../remote-cache/imports.js';
import { checkCaches } from '../remote-cache/media.js';
import { readKeys } from '../remote-cache/signing-keys.js';
import { unusedMounts } from '../remote-cache/mounts/unused.js';
import { wantedMounts } from '../remote-cache/mounts/wanted.js';
import { createResolver } from '../resolve/resolver.js';
import { keepBelow } from '../store/ceiling.js';
import type { OperationContext } from './context.js';
import { type CacheExports, openCacheExports } from './export-caches.js';
import { planOptions, wantedPlatforms } from './plan-options.js';
import { prepareContext, type PreparedContext } from './prepare-context.js';
import { agentsOf, secretReader, sshSocket } from './secrets.js';
import { withStep } from './step.js';
import { projectOf, recordTrace } from './trace.js';
import { openWorkshop, type Workshop } from './workshop.js';

type Options = Omit<BuildOptions, 'signal' | 'onEvent'>;

export async function runBuild(options: Options, context: OperationContext): Promise<BuildResult> {
  try {
    return await withAgents(options, context, buildImages);
  } finally {
    // After a failure too: it leaves the results of the steps before.
    if (!options.check) await keepBelow(options, context);
  }
}

/** Keys of --ssh are held by agents for as long as the work takes. */
export async function withAgents<T>(
  options: Options,
  context: OperationContext,
  work: (options: Options, context: OperationContext) => Promise<T>,
): Promise<T> {
  if (!options.ssh?.some(({ keys }) => keys !== undefined)) return await work(options, context);
  const { startAgents } = await import('./ssh-agents.js');
  const agents = await startAgents(options.ssh, options.root, context.signal);
  try {
    return await work({ ...options, ssh: agents.ssh }, context);
  } finally {
    await agents.close();
  }
}

async function buildImages(options: Options, context: OperationContext): Promise<BuildResult> {
  const tags = (options.tags ?? []).map(normalizeReference);
  const outputs = wantedOutputs(options);
  const platforms = wantedPlatforms(options.platforms);
  checkOutputs(outputs, tags, platforms.length);
  return await withBuild(options, context, async (prepared, workshop) => {
    const { dockerfile } = prepared;
    const plans = await planAll(options, prepared, workshop, context);
    const warnings = emitWarnings(plans, dockerfile.name, context.emit);
    for (const message of unusedMounts(workshop.mounts, plans, options)) workshop.notice(message);
    const work = { workshop, outputs, tags, options, context };
    const { written, steps } = options.check
      ? { written: { outputs: [], names: [] } as WrittenOutputs }
      : await makeResults(plans, work);
    const { digest, configDigest, descriptor } = written.image ?? {};
    return {
      ...(digest === undefined ? {} : { digest }),
      ...(configDigest === undefined ? {} : { configDigest }),
      names: written.names,
      platforms: platforms.map(({ platform }) => formatPlatform(platform)),
      outputs: written.outputs,
      warnings,
      ...(steps === undefined ? {} : { steps }),
      metadata: {
        'buildx.build.ref': `tsbuild/default/${randomBytes(16).toString('hex')}`,
        ...(configDigest === undefined ? {} : { 'containerimage.config.digest': configDigest }),
        ...(descriptor === undefined ? {} : { 'containerimage.descriptor': descriptor }),
        ...(digest === undefined ? {} : { 'containerimage.digest': digest }),
        ...(written.names.length > 0 ? { 'image.name': written.names.join(',') } : {}),
      },
    };
  });
}

/** Opens what a build works with, and closes it whatever happens. */
export async function withBuild<T>(
  options: Options,
  context: OperationContext,
  work: (prepared: PreparedContext, workshop: Workshop) => Promise<T>,
): Promise<T> {
  checkCaches(options);
  const keys = await readKeys(options);
  warnOfSigning(options, context.emit);
  const prepared = await prepareContext(options, context);
  const { cacheMounts = [], buildArgs = {} } = options;
  const open = async () => {
    const { contexts } = prepared;
    const namespace = buildArgs['BUILDKIT_CACHE_MOUNT_NS'];
    const mounts = wantedMounts(cacheMounts, namespace, contexts.get('context')?.path);
    const secret = secretReader(options.secrets ?? []);
    const sshAgent = sshSocket(agentsOf(options));
    return await openWorkshop({ ...options, keys, contexts, mounts, secret, sshAgent }, context);
  };
  const workshop = await open().catch(async (error: unknown) => {
    await prepared.close();
    throw error;
  });
  try {
    return await work(prepared, workshop);
  } finally {
    await workshop.close();
    await prepared.close();
  }
}

/** Once more where a shared cache named a layer that it then did not give: without that cache. */
async function makeResults(
  plans: readonly BuildPlan[],
  work: Omit<OutputWork, 'images'>,
): Promise<{ written: WrittenOutputs; steps?: StepExplanation[] }> {
  const { workshop, options, context } = work;
  for (let tries = workshop.imports.found.length; ; tries--) {
    const caches = openCacheExports(plans, options, workshop, context);
    try {
      const { images, steps } = await solvePlans(plans, options, workshop, context, caches);
      const written = await writeOutputs({ ...work, images });
      await caches.finish(images);
      return { written, ...(steps === undefined ? {} : { steps }) };
    } catch (error) {
      const again = TsbuildError.is(error) && error.code === 'TSB_CACHE_UNAVAILABLE' && tries > 0;
      if (!again) throw error;
    } finally {
      await caches.close();
    }
  }
}

/** The signature would vouch for what nobody vouched for. */
function warnOfSigning({ cacheFrom = [], cacheSign, cacheVerify }: Options, emit: EventSink): void {
  if (cacheSign === undefined || cacheVerify !== undefined || cacheFrom.length === 0) return;
  const message =
    'what comes from --cache-from is signed with the rest, and was not verified: give --cache-verify too';
  emit({ type: 'warning', rule: 'CacheSign', message });
}

/** Parses the Dockerfile and plans it for every platform. */
export async function planAll(
  options: Options,
  prepared: PreparedContext,
  workshop: Workshop,
  { emit, signal }: OperationContext,
): Promise<BuildPlan[]> {
  const { dockerfile } = prepared;
  const tree = await withStep(
    emit,
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
  const shown = showResolving(resolver, emit);
  const platforms = wantedPlatforms(options.platforms);
  return await Promise.all(
    platforms.map((wanted) =>
      planBuild(tree, { ...planOptions(options, wanted, signal, platforms.length > 1), ...ignored }, shown),
    ),
  );
}

async function solvePlans(
  plans: readonly BuildPlan[],
  options: Options,
  workshop: Workshop,
  context: OperationContext,
  caches: CacheExports,
): Promise<{ images: SolvedImage[]; steps?: StepExplanation[] }> {
  for (const { vertices } of plans) {
    for (const { op } of vertices.values()) if (op.kind === 'image') workshop.learn(op);
  }
  const { emit, signal } = context;
  const { executor: worker, store } = workshop;
  const finder = new BuildkitFinder(plans, worker.buildkitDigest, signal);
  const cache = withImports(store.steps, workshop.imports, finder);
  const name = projectOf(options);
  const trace = recordTrace(workshop, plans, name, options);
  const explained = options.explain
    ? (await import('./explain.js')).explainBuild(plans, name, workshop, context)
    : undefined;
  const observer = explained ? both(trace.observer, explained.observer) : trace.observer;
  let succeeded = false;
  try {
    const solved = await solve({ plans, worker, cache, emit, signal, observer, made: caches.made });
    succeeded = true;
    return {
      images: solved.map((result) => ({ ...result, platform: result.plan.imagePlatform })),
      ...(explained === undefined ? {} : { steps: await explained.end(true) }),
    };
  } finally {
    if (!succeeded) await explained?.end(false);
    trace.keep(succeeded);
  }
}

function both(first: StepObserver, second: StepObserver): StepObserver {
  return {
    keyed(step) {
      first.keyed(step);
      second.keyed(step);
    },
    missed(vertex, reason) {
      first.missed(vertex, reason);
      second.missed(vertex, reason);
    },
    done(id) {
      first.done(id);
      second.done(id);
    },
  };
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
