/** From the mounts of a RUN instruction to those of the sandbox, taking what they need and giving it back later. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { TsbuildError } from '@tsbuild/core';
import * as native from '@tsbuild/native';
import type { RunMount } from '@tsbuild/solver';
import { holdCache, type CacheMount, type RestoreCache } from './cache-mounts.js';
import type { Environment } from './environment.js';
import { openLayers } from './layers.js';
import { seedDirectory } from './seed.js';
import type { BindMount, OverlayMount, SandboxMount } from './spec.js';
import { forwardAgent } from './ssh-socket.js';

/** The tree that `from` of a mount names. */
export type MountSource =
  | {
      /** Snapshot directories, top first; may be empty. */
      lower: string[];
    }
  | {
      /** A directory of the host that holds exactly what the mount may show. */
      path: string;
    };

export interface StepMount {
  mount: RunMount;
  /** For bind, and for cache with `from`. */
  source?: MountSource;
}

export interface MountContext {
  signal: AbortSignal;
  /** Folder of the store that holds cache mounts. */
  cacheRoot: string;
  /** A folder of this step alone, on the store's file system; its owner removes it. */
  scratch: string;
  secret(id: string): Promise<Buffer | undefined>;
  sshAgent(id: string): string | undefined;
  /** Fills cache mounts that are new or empty. */
  restoreCacheMount?: RestoreCache | undefined;
}

export interface PlannedMounts {
  mounts: SandboxMount[];
  /** Variables that mounts add. */
  env: Environment;
  /** Gives locks back and closes sockets; to be called once the step is over, whatever came of it. */
  release(): Promise<void>;
}

/** @throws TsbuildError TSB_EXEC_SECRET, TSB_EXEC_SSH, TSB_EXEC_MOUNT; nothing stays held then */
export async function planMounts(steps: StepMount[], context: MountContext): Promise<PlannedMounts> {
  const planner = new Planner(context);
  try {
    for (const step of steps) await planner.add(step);
  } catch (error) {
    await planner.plan.release();
    throw error;
  }
  planner.plan.mounts.sort((a, b) => compare(a.target, b.target));
  return planner.plan;
}

/** By components, so that a folder comes before what is mounted inside of it. */
function compare(a: string, b: string): number {
  const [left, right] = [a.replaceAll('/', '\0'), b.replaceAll('/', '\0')];
  return left < right ? -1 : left > right ? 1 : 0;
}

class Planner {
  private readonly releases: (() => void | Promise<void>)[] = [];
  private sockets = 0;
  private uppers = 0;
  readonly plan: PlannedMounts = {
    mounts: [],
    env: [],
    release: async () => {
      for (const release of this.releases.splice(0).reverse()) await release();
    },
  };

  constructor(private readonly context: MountContext) {}

  async add({ mount, source }: StepMount): Promise<void> {
    switch (mount.type) {
      case 'bind':
        this.plan.mounts.push(this.bind(mount, source ?? { lower: [] }));
        return;
      case 'cache':
        return this.cache(mount, source);
      case 'tmpfs':
        this.plan.mounts.push({
          type: 'tmpfs',
          target: mount.target,
          size: mount.size,
          readonly: mount.readonly,
        });
        return;
      case 'secret':
        return this.secret(mount);
      case 'ssh':
        return this.ssh(mount);
    }
  }

  private bind(mount: Extract<RunMount, { type: 'bind' }>, source: MountSource): BindMount | OverlayMount {
    const common = { target: mount.target, subpath: mount.source };
    if (mount.readonly && 'path' in source) {
      return { type: 'bind', ...common, source: { path: source.path }, readonly: true };
    }
    const lower = 'path' in source ? [source.path] : source.lower;
    if (mount.readonly && lower.length > 0) return { type: 'overlay', ...common, lower, readonly: true };
    // Writes land in a directory that is thrown away with the step's scratch folder.
    return { type: 'overlay', ...common, lower, ...this.throwAway(), readonly: mount.readonly };
  }

  private throwAway(): { upper: string; work: string } {
    const folder = join(this.context.scratch, `bind-${this.uppers++}`);
    const upper = join(folder, 'upper');
    const work = join(folder, 'work');
    for (const path of [folder, upper, work]) mkdirSync(path);
    return { upper, work };
  }

  private async cache(mount: CacheMount, source: MountSource | undefined): Promise<void> {
    const { cacheRoot, signal, restoreCacheMount: restore } = this.context;
    const origin = source && {
      identity: JSON.stringify([source, mount.source]),
      fill: (directory: string) => seed(source, mount.source, directory, signal),
    };
    const held = await holdCache(cacheRoot, mount, { source: origin, restore }, signal);
    this.releases.push(held.release);
    this.plan.mounts.push({
      type: 'bind',
      target: mount.target,
      source: { path: held.path },
      // With `from`, source chose what the cache began with; otherwise it is a place inside of the cache.
      ...(origin === undefined && { subpath: mount.source }),
      readonly: mount.readonly,
    });
  }

  private async secret(mount: Extract<RunMount, { type: 'secret' }>): Promise<void> {
    const data = await this.context.secret(mount.id);
    if (data === undefined) {
      if (!mount.required) return;
      throw new TsbuildError('TSB_EXEC_SECRET', `secret ${mount.id}: not found`, {
        hint: `Pass it with --secret id=${mount.id},src=FILE or --secret id=${mount.id},env=VARIABLE.`,
      });
    }
    if (mount.env !== undefined) this.plan.env.push([mount.env, data.toString('utf8')]);
    if (mount.target === undefined) return;
    const { target, mode, uid, gid } = mount;
    this.plan.mounts.push({ type: 'file', target, data, mode, uid, gid });
  }

  private async ssh(mount: Extract<RunMount, { type: 'ssh' }>): Promise<void> {
    // Set even where no agent was passed on, as BuildKit does: the variable is a part of the Dockerfile's meaning.
    if (!this.plan.env.some(([name]) => name === 'SSH_AUTH_SOCK')) {
      this.plan.env.push(['SSH_AUTH_SOCK', mount.target]);
    }
    const agent = this.context.sshAgent(mount.id);
    if (agent === undefined) {
      if (!mount.required) return;
      throw new TsbuildError('TSB_EXEC_SSH', `no SSH key "${mount.id}" forwarded from the client`, {
        hint: `Pass the agent with --ssh ${mount.id}.`,
      });
    }
    const forwarded = await forwardAgent(agent, this.context.scratch, `ssh-${this.sockets++}`, mount);
    this.releases.push(forwarded.close);
    this.plan.mounts.push({
      type: 'bind',
      target: mount.target,
      source: { path: forwarded.path },
      readonly: false,
    });
  }
}

async function seed(
  source: MountSource,
  path: string,
  directory: string,
  signal: AbortSignal,
): Promise<void> {
  const tree = openLayers('path' in source ? [source.path] : source.lower);
  if (tree === undefined) return;
  try {
    await seedDirectory(tree, path, directory, signal);
  } finally {
    native.close(tree);
  }
}
