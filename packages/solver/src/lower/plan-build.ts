/** From a Dockerfile to the graph of its target and the config of the image. */
import type { Dockerfile } from '@tsbuild/parser';
import { closure } from '../graph.js';
import type { SourceResolver } from '../interfaces.js';
import type { BuildPlan, PlanOptions } from '../plan.js';
import { globalArgs, own } from './arg.js';
import type { Env } from './env.js';
import { fault } from './fault.js';
import { GraphBuilder } from './graph-builder.js';
import { StageLowerer } from './lower-stage.js';
import { native } from './paths.js';
import { Preparation } from './prepare.js';
import { findTarget, hasSeveralSources } from './stages.js';
import { planWarnings } from './warnings.js';

/**
 * Plans a build for one platform. Only what the target needs is resolved; images and contexts are asked for in parallel.
 * @throws TsbuildError TSB_GRAPH_* and TSB_PARSE_* for what cannot be built, and what the resolver throws; all with
 * their place in the file. Nothing is left running.
 */
export async function planBuild(
  dockerfile: Dockerfile,
  options: PlanOptions,
  resolver: SourceResolver,
): Promise<BuildPlan> {
  const target = findTarget(dockerfile, options.target);
  const globals = globalArgs(dockerfile, options, target.name);
  const preparation = new Preparation({ dockerfile, options, resolver, globals });
  const prepared = await preparation.stagesFor(target);
  const epoch = readEpoch(options, globals);
  const graph = new GraphBuilder();
  const lowerer = new StageLowerer(
    {
      dockerfile,
      options,
      graph,
      globals,
      showStage: hasSeveralSources(dockerfile),
      ...(epoch === undefined ? {} : { epoch }),
    },
    prepared,
  );
  const state = lowerer.lower(target.index);
  const warnings = planWarnings(dockerfile, options, target, prepared);
  const { WorkingDir } = state.config;
  const labels = { ...state.config.Labels, ...options.labels };
  return {
    platform: options.platform,
    imagePlatform: options.platformExplicit ? options.platform : state.imagePlatform,
    dockerfile: { filename: dockerfile.filename, text: dockerfile.text },
    vertices: closure(graph.vertices, state.root),
    result: state.root,
    ...(state.base === undefined ? {} : { base: state.base }),
    config: {
      ...state.config,
      ...(WorkingDir === undefined ? {} : { WorkingDir: native(state.imagePlatform.os, WorkingDir) }),
      ...(Object.keys(labels).length > 0 ? { Labels: labels } : {}),
    },
    ...(state.author === undefined ? {} : { author: state.author }),
    ...(state.origin === undefined ? {} : { origin: state.origin }),
    history: state.history,
    ...(epoch === undefined ? {} : { sourceDateEpoch: epoch }),
    warnings,
  };
}

/**
 * Plans the target, or without one every stage, and throws the plan away: for what is wrong with a Dockerfile.
 * @throws TsbuildError as planBuild does
 */
export async function tryPlan(
  dockerfile: Dockerfile,
  options: PlanOptions,
  resolver: SourceResolver,
): Promise<void> {
  const last = findTarget(dockerfile, options.target);
  const globals = globalArgs(dockerfile, options, last.name);
  readEpoch(options, globals);
  const showStage = hasSeveralSources(dockerfile);
  const preparation = new Preparation({ dockerfile, options, resolver, globals });
  const graph = new GraphBuilder();
  let lowerer: StageLowerer | undefined;
  for (const target of options.target === undefined ? dockerfile.stages : [last]) {
    const prepared = await preparation.stagesFor(target);
    lowerer ??= new StageLowerer({ dockerfile, options, graph, globals, showStage }, prepared);
    lowerer.lower(target.index);
  }
}

/** SOURCE_DATE_EPOCH as a --build-arg, or as a global ARG with a default. */
function readEpoch(options: PlanOptions, globals: Env): number | undefined {
  const given = own(options.buildArgs, 'SOURCE_DATE_EPOCH');
  const text = given ?? globals.get('SOURCE_DATE_EPOCH');
  if (!text) return undefined;
  const seconds = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
  // What four digits of a year can say.
  if (seconds >= -62135596800 && seconds <= 253402300799) return seconds;
  // A default that names a context or a stage instead of a time is passed over.
  if (given === undefined) return undefined;
  throw fault(
    'SOURCE_DATE_EPOCH',
    `invalid SOURCE_DATE_EPOCH: ${text}`,
    'Give whole seconds since 1970, as date +%s prints them.',
  );
}
