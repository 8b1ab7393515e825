/** RUN --mount: the flags' values with the defaults that depend on the stage (dockerfile semantics 9.3 to 9.7). */
import { cleanPath } from '@tsbuild/core';
import { parseMount, type RunInstruction, type RunMountSpec } from '@tsbuild/parser';
import type { MountAsWritten, RunMount, RunOp } from '../ops.js';
import { own } from './arg.js';
import { fault } from './fault.js';
import { Expander, type Located, type Lowering } from './lowering.js';
import { absolute } from './paths.js';
import type { StageState } from './stage-state.js';

/** Sorted by target, so that what is mounted into a mount comes after it. */
export function lowerMounts(
  lowering: Lowering,
  state: StageState,
  located: Located<RunInstruction>,
): Pick<RunOp, 'mounts' | 'mountsAsWritten'> {
  const expander = new Expander(state, located);
  const specs = located.instruction.mounts.map((raw) => parseMount(raw, (value) => expander.word(value)));
  const sockets = specs.filter(({ type }) => type === 'ssh');
  const mounts = specs.map((spec, position) => ({
    mount: lowerMount(lowering, state, spec, sockets.indexOf(spec)),
    written: asWritten(spec, position),
  }));
  const target = ({ mount }: { mount: RunMount }) => mount.target ?? '';
  mounts.sort((a, b) => (target(a) < target(b) ? -1 : target(a) > target(b) ? 1 : 0));
  return {
    mounts: mounts.map(({ mount }) => mount),
    mountsAsWritten: mounts.map(({ written }) => written),
  };
}

function asWritten(spec: RunMountSpec, position: number): MountAsWritten {
  const { id = '', target = '', mode, uid, gid } = spec;
  return { position, id, target, owned: mode !== undefined || uid !== undefined || gid !== undefined };
}

/** @param socket which of the instruction's ssh mounts this is */
function lowerMount(lowering: Lowering, state: StageState, spec: RunMountSpec, socket: number): RunMount {
  switch (spec.type) {
    case 'bind':
      return bindMount(lowering, state, spec);
    case 'cache':
      return cacheMount(lowering, state, spec);
    case 'tmpfs':
      return { type: 'tmpfs', target: targetOf(state, spec), size: spec.size ?? 0, readonly: spec.readonly };
    case 'secret':
      return secretMount(state, spec);
    case 'ssh':
      return sshMount(state, spec, socket);
  }
}

function bindMount(lowering: Lowering, state: StageState, spec: RunMountSpec): RunMount {
  const from = lowering.sourceOf(state, 'mount', spec.from).id;
  const source = cleanPath(`/${spec.source ?? ''}`);
  return { type: 'bind', target: targetOf(state, spec), from, source, readonly: spec.readonly };
}

function cacheMount(lowering: Lowering, state: StageState, spec: RunMountSpec): RunMount {
  const id = spec.id || cleanPath(spec.target ?? '');
  const namespace = own(lowering.options.buildArgs, 'BUILDKIT_CACHE_MOUNT_NS') ?? '';
  return {
    type: 'cache',
    target: targetOf(state, spec),
    id: `${namespace}/${id}`,
    sharing: spec.sharing ?? 'shared',
    ...(spec.from ? { from: lowering.sourceOf(state, 'mount', spec.from).id } : {}),
    source: cleanPath(`/${spec.source ?? ''}`),
    readonly: spec.readonly,
    mode: spec.mode ?? 0o755,
    uid: spec.uid ?? 0,
    gid: spec.gid ?? 0,
  };
}

function secretMount(state: StageState, spec: RunMountSpec): RunMount {
  const id = secretId(spec);
  const target = spec.target
    ? absolute(state.cwd, spec.target)
    : spec.env === undefined
      ? `/run/secrets/${baseName(id)}`
      : undefined;
  return {
    type: 'secret',
    id,
    ...(target === undefined ? {} : { target }),
    ...(spec.env === undefined ? {} : { env: spec.env }),
    required: spec.required,
    ...access(spec, 0o400),
  };
}

/** Name under which --secret gives it. */
export function secretId(spec: RunMountSpec): string {
  return spec.id || spec.source || baseName(spec.target ?? '');
}

/** Name under which --ssh gives it. */
export function sshId(spec: RunMountSpec): string {
  return spec.id || spec.source || 'default';
}

function sshMount(state: StageState, spec: RunMountSpec, index: number): RunMount {
  const target = spec.target ? absolute(state.cwd, spec.target) : `/run/buildkit/ssh_agent.${index}`;
  return {
    type: 'ssh',
    id: sshId(spec),
    target,
    required: spec.required,
    ...access(spec, 0o600),
  };
}

function access(spec: RunMountSpec, mode: number): { mode: number; uid: number; gid: number } {
  return { mode: spec.mode ?? mode, uid: spec.uid ?? 0, gid: spec.gid ?? 0 };
}

function targetOf(state: StageState, spec: RunMountSpec): string {
  const target = absolute(state.cwd, spec.target ?? '');
  if (target === '/') {
    throw fault(
      'MOUNT_TARGET',
      `invalid mount target ${JSON.stringify(target)}`,
      'Write target= with a directory below /.',
    );
  }
  return target;
}

function baseName(path: string): string {
  const clean = cleanPath(path);
  return clean.slice(clean.lastIndexOf('/') + 1);
}
