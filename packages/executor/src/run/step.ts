/** One RUN step: from its definition and a mounted-to-be root file system to a filled upper directory. */
import { mkdtempSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { TsbuildError, type EventSink, type StepUsage } from '@tsbuild/core';
import * as native from '@tsbuild/native';
import type { RunOp } from '@tsbuild/solver';
import { buildEnvironment, hostsFile, resolverFile } from './environment.js';
import { openLayers } from './layers.js';
import { OutputLog } from './output-log.js';
import { planMounts, type MountContext, type StepMount } from './plan-mounts.js';
import { runInSandbox } from './sandbox.js';
import type { FileMount, RootSpec, SandboxMount, SandboxSpec } from './spec.js';
import { resolveUser } from './users.js';

export interface StepInput {
  op: RunOp;
  /** Layers with a fresh upper directory, which holds the step's changes afterwards; or a whole tree to change. */
  rootfs: RootSpec;
  /** In the order of the instruction; `mount` is one of op.mounts. */
  mounts: StepMount[];
}

export interface RunStepContext extends Omit<MountContext, 'scratch'> {
  /** Id of the vertex, for its log events. */
  vertexId: string;
  emit: EventSink;
  /** A folder for temporary files on the store's file system; what is put there is removed before the step returns. */
  tmp: string;
  notice(message: string): void;
}

const defaultHostname = 'buildkitsandbox';

/**
 * Runs the step. When it returns or throws, none of its processes, mounts, locks and temporary files are left; the
 * upper directory is the caller's, to keep or to throw away.
 * @throws TsbuildError TSB_EXEC_FAILED with commandExitCode and outputTail; what planMounts, resolveUser and
 *   runInSandbox throw
 */
export async function runStep(input: StepInput, context: RunStepContext): Promise<StepUsage> {
  const scratch = mkdtempSync(join(context.tmp, 'run-'));
  try {
    const planned = await planMounts(input.mounts, { ...context, scratch });
    try {
      return await runPlanned(input, planned, context);
    } finally {
      await planned.release();
    }
  } finally {
    await removeFolder(scratch);
  }
}

async function runPlanned(
  { op, rootfs }: StepInput,
  planned: Awaited<ReturnType<typeof planMounts>>,
  context: RunStepContext,
): Promise<StepUsage> {
  const user = userOf(rootfs, op.user);
  const network = op.network === 'none' ? 'none' : 'host';
  const hostname = op.hostname || defaultHostname;
  if (op.cgroupParent) context.notice('cgroup parents are not supported: --cgroup-parent has no effect');
  const mounts = withSharedMemory(op, planned.mounts);
  const spec: SandboxSpec = {
    ...(mounts.some(({ target }) => target === sharedMemory) && { shmSize: 0 }),
    args: op.args,
    env: buildEnvironment(op, withoutSet(planned.env, op), user.home),
    cwd: op.cwd || '/',
    uid: user.uid,
    gid: user.gid,
    groups: user.groups,
    hostname,
    root: rootfs,
    network,
    insecure: op.security === 'insecure',
    rlimits: op.ulimits,
    devices: devicesOf(op),
    mounts: [
      etcFile('/etc/resolv.conf', resolverFile(network)),
      etcFile('/etc/hosts', hostsFile(hostname, op.extraHosts)),
      ...mounts,
      ...op.scripts.map(scriptFile),
    ],
  };
  const log = new OutputLog(context.vertexId, context.emit);
  const { signal } = context;
  const result = await runInSandbox(spec, { signal, onOutput: (stream, chunk) => log.add(stream, chunk) });
  if (result.startError !== undefined) log.add('stderr', Buffer.from(`${result.startError}\n`));
  log.end();
  if (result.exitCode === 0) return result.usage;
  throw new TsbuildError(
    'TSB_EXEC_FAILED',
    `process ${JSON.stringify(op.args.join(' '))} did not complete successfully: exit code: ${result.exitCode}`,
    { commandExitCode: result.exitCode, outputTail: log.tail() },
  );
}

const sharedMemory = '/dev/shm';

/** A size that was asked for makes /dev/shm a mount of the step's own, as BuildKit has it; a mount there replaces both. */
function withSharedMemory(op: RunOp, mounts: readonly SandboxMount[]): readonly SandboxMount[] {
  if (!op.shmSize || mounts.some(({ target }) => target === sharedMemory)) return mounts;
  return [{ type: 'tmpfs', target: sharedMemory, size: op.shmSize, readonly: false }, ...mounts];
}

/** SSH_AUTH_SOCK is only set where the image or the Dockerfile has none; a secret's variable always is. */
function withoutSet(env: [string, string][], op: RunOp): [string, string][] {
  return env.filter(([name]) => name !== 'SSH_AUTH_SOCK' || !op.env.some(([set]) => set === name));
}

export function userOf(rootfs: RootSpec, user: string): ReturnType<typeof resolveUser> {
  const rootFd = openLayers('dir' in rootfs ? [rootfs.dir] : rootfs.lower);
  try {
    return resolveUser(rootFd, user);
  } finally {
    if (rootFd !== undefined) native.close(rootFd);
  }
}

export function etcFile(target: string, text: string): FileMount {
  return { type: 'file', target, data: Buffer.from(text), mode: 0o644, uid: 0, gid: 0 };
}

function scriptFile({ path, data, mode }: RunOp['scripts'][number]): FileMount {
  return { type: 'file', target: path, data: Buffer.from(data), mode, uid: 0, gid: 0 };
}

/** Devices are host paths below /dev; other names would need a CDI registry, which this builder has not. */
function devicesOf(op: RunOp): string[] {
  const isNode = (path: string) => {
    const status = native.statOrUndefined(native.AT_FDCWD, path, true);
    const type = (status?.mode ?? 0) & native.constants.S_IFMT;
    return type === native.constants.S_IFCHR || type === native.constants.S_IFBLK;
  };
  return op.devices.flatMap(({ name, required }) => {
    if (/^\/dev\/[^/]+$/.test(name) && isNode(name)) return [name];
    if (!required) return [];
    throw new TsbuildError('TSB_EXEC_DEVICE', `required device ${JSON.stringify(name)} is not available`, {
      hint: 'Name a device node of this machine, for example --device=/dev/fuse.',
    });
  });
}

async function removeFolder(path: string): Promise<void> {
  const parent = native.openat2(native.AT_FDCWD, dirname(path), native.constants.O_RDONLY, 0, 0);
  try {
    await native.removeTree(parent, basename(path));
  } finally {
    native.close(parent);
  }
}
