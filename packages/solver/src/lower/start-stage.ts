/** FROM: a stage's state before its first instruction. */
import { cleanPath, type ContainerConfig, type Platform } from '@tsbuild/core';
import type { FileOp, VertexId } from '../ops.js';
import { imageName, stepName } from './display.js';
import { defaultPath, envOf, withEntry, withVariables } from './env.js';
import { slashed } from './paths.js';
import type { Lowering } from './lowering.js';
import type { PreparedStage } from './prepare.js';
import { labelOf } from './stages.js';
import type { StageState } from './stage-state.js';

const layerKinds = ['run', 'copy', 'add', 'workdir'];

/** @param parent the lowered stage this one is built on, if it is */
export function startStage(
  lowering: Lowering,
  prepared: PreparedStage,
  parent: StageState | undefined,
): StageState {
  const { stage, platform, base, instructions } = prepared;
  const label = labelOf(stage);
  const ownSteps = instructions.filter(({ instruction }) => layerKinds.includes(instruction.kind)).length;
  const fixed = {
    index: stage.index,
    label,
    platform,
    ignoreCache: ignoresCache(lowering, label),
    steps: { done: 0, total: ownSteps + (base.type === 'stage' || base.type === 'scratch' ? 0 : 1) },
  };
  if (parent !== undefined) return childOf(parent, fixed);
  const state: StageState = {
    ...fixed,
    root: '',
    env: new Map(),
    args: [],
    cwd: '/',
    config: { WorkingDir: '/' },
    // An empty image has no platform of its own: --platform of its FROM does not count (BuildKit).
    imagePlatform: lowering.options.platform,
    history: [],
    cmdSet: false,
  };
  if (base.type === 'image') takeImage(state, base.image.config);
  state.root = rootOf(lowering, state, prepared);
  withPath(state);
  return state;
}

function ignoresCache({ options: { noCache } }: Lowering, label: string): boolean {
  return typeof noCache === 'boolean' ? noCache : noCache.some((name) => name.toLowerCase() === label);
}

type Fixed = Pick<StageState, 'index' | 'label' | 'platform' | 'ignoreCache' | 'steps'>;

/** A child begins with all its parent ended with, but for the triggers; ENV comes before ARG again. */
function childOf(parent: StageState, fixed: Fixed): StageState {
  const { OnBuild: _triggers, ...config } = parent.config;
  return {
    ...parent,
    ...fixed,
    config,
    env: withVariables(parent.env, envOf(config.Env ?? [])),
    history: [...parent.history],
    cmdSet: false,
  };
}

function takeImage(state: StageState, image: NonNullable<StageState['base']>): void {
  const { OnBuild: _triggers, ...config } = image.config ?? {};
  state.base = image;
  state.config = withoutNulls(config);
  state.env = envOf(state.config.Env ?? []);
  if (image.author) state.author = image.author;
  state.imagePlatform = platformOf(image, state.platform);
  const { WorkingDir } = state.config;
  if (WorkingDir !== undefined)
    state.config = { ...state.config, WorkingDir: slashed(state.imagePlatform.os, WorkingDir) };
  state.cwd = cleanPath(`/${state.config.WorkingDir ?? ''}`);
}

/** Configs in the wild say null where they mean nothing. */
function withoutNulls(config: ContainerConfig): ContainerConfig {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== null));
}

function platformOf(image: NonNullable<StageState['base']>, wanted: Platform): Platform {
  const { os, architecture, variant } = image;
  return {
    os: os || wanted.os,
    architecture: architecture || wanted.architecture,
    ...(variant ? { variant } : {}),
    ...(image['os.version'] ? { 'os.version': image['os.version'] } : {}),
    ...(image['os.features'] ? { 'os.features': image['os.features'] } : {}),
  };
}

function withPath(state: StageState): void {
  if (state.env.has('PATH') || state.imagePlatform.os === 'windows') return;
  state.env = new Map([...state.env, ['PATH', defaultPath]]);
  state.config = { ...state.config, Env: withEntry(state.config.Env ?? [], 'PATH', defaultPath) };
}

function rootOf(lowering: Lowering, state: StageState, { base, stage }: PreparedStage): VertexId {
  const { graph } = lowering;
  const { platform, label } = state;
  const shown = { stage: label, platform, range: stage.from.range, ignoreCache: false };
  if (base.type === 'image') {
    const { op } = base.image;
    return graph.add({ op, name: stepName(lowering, state, `FROM ${imageName(op)}`), ...shown });
  }
  if (base.type === 'files') {
    const { op } = base;
    if (op.kind !== 'local')
      return graph.add({ op, name: stepName(lowering, state, `FROM ${stage.from.image}`), ...shown });
    state.origin = `local source for ${op.name}`;
    return graph.add({
      op: wholeContext(
        graph.add({ op, name: contextName(op.name), platform, ignoreCache: false }),
        scratch(lowering, platform),
      ),
      name: stepName(lowering, state, `FROM ${op.name}`),
      ...shown,
    });
  }
  return scratch(lowering, platform);
}

export function scratch({ graph }: Lowering, platform: Platform): VertexId {
  return graph.add({ op: { kind: 'scratch' }, name: 'scratch', platform, ignoreCache: false });
}

export function contextName(name: string): string {
  return name === 'context' ? '[internal] load build context' : `[context ${name}] load from client`;
}

/** A folder as a root file system. */
function wholeContext(from: VertexId, base: VertexId): FileOp {
  return {
    kind: 'file',
    base,
    actions: [
      {
        type: 'copy',
        from,
        source: '/',
        destination: '/',
        exclude: [],
        parents: false,
        unpack: 'never',
        ownerZero: true,
      },
    ],
  };
}
