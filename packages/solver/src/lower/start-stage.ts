/** FROM: a stage's state before its first instruction. */
import { cleanPath, type ContainerConfig, type Platform } from '@tsbuild/core';
import type { FileOp, VertexId } from '../ops.js';
import { imageName, stepName } from './display.js';
import { defaultPath, envOf, positionsOf, setEnv, setVariables } from './env.js';
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
  const image = base.type === 'image' ? base.image.config : undefined;
  const config = image === undefined ? { WorkingDir: '/' } : ownConfig(withoutNulls(image.config ?? {}));
  const entries = config.Env ?? [];
  const state: StageState = {
    ...fixed,
    root: '',
    env: envOf(entries),
    args: [],
    cwd: '/',
    config,
    envAt: positionsOf(entries),
    // An empty image has no platform of its own: --platform of its FROM does not count (BuildKit).
    imagePlatform: lowering.options.platform,
    history: [],
    cmdSet: false,
  };
  if (image !== undefined) takeImage(state, image);
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
  const config = ownConfig(parent.config);
  const entries = config.Env ?? [];
  const env = new Map(parent.env);
  setVariables(env, envOf(entries));
  return {
    ...parent,
    ...fixed,
    config,
    env,
    envAt: new Map(parent.envAt),
    args: [...parent.args],
    history: [...parent.history],
    cmdSet: false,
  };
}

/** A copy whose lists and records instructions may add to, without the triggers. */
function ownConfig({ OnBuild: _triggers, ...config }: ContainerConfig): ContainerConfig {
  const { Env, Labels, Volumes, ExposedPorts } = config;
  if (Env !== undefined) config.Env = [...Env];
  if (Labels !== undefined) config.Labels = { ...Labels };
  if (Volumes !== undefined) config.Volumes = { ...Volumes };
  if (ExposedPorts !== undefined) config.ExposedPorts = { ...ExposedPorts };
  return config;
}

function takeImage(state: StageState, image: NonNullable<StageState['base']>): void {
  state.base = image;
  if (image.author) state.author = image.author;
  state.imagePlatform = platformOf(image, state.platform);
  const { WorkingDir } = state.config;
  if (WorkingDir !== undefined) state.config.WorkingDir = slashed(state.imagePlatform.os, WorkingDir);
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
  state.env.set('PATH', defaultPath);
  setEnv(state, 'PATH', defaultPath);
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
        wholeContext: true,
      },
    ],
  };
}
