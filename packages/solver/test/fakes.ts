/** Fakes that count: a worker without files, a cache in memory, plans of a few vertices. */
import { type BuildEvent, type Digest, type Platform, sha256, TsbuildError } from '@tsbuild/core';
import {
  type BuildPlan,
  type CacheRecord,
  type CacheStore,
  closure,
  type CopyAction,
  type Input,
  type Op,
  type Ref,
  type RunMount,
  type Selector,
  type SnapshotId,
  type Solved,
  type SolveOptions,
  solve,
  type StepContext,
  type StepResult,
  type Vertex,
  type VertexId,
  type Worker,
} from '../src/index.js';

export const amd64: Platform = { os: 'linux', architecture: 'amd64' };

export function layer(name: string): Ref['layers'][number] {
  return { snapshot: name as SnapshotId, createdAt: '2026-01-02T03:04:05.678Z' };
}

export class FakeCache implements CacheStore {
  readonly records = new Map<Digest, CacheRecord>();
  readonly gets: Digest[] = [];
  readonly #locks = new Map<Digest, Promise<void>>();
  locked = 0;

  async get(key: Digest): Promise<CacheRecord | undefined> {
    this.gets.push(key);
    return this.records.get(key);
  }

  async put(record: CacheRecord): Promise<void> {
    this.records.set(record.key, record);
  }

  async lock(key: Digest): Promise<{ release(): void }> {
    const before = this.#locks.get(key) ?? Promise.resolve();
    let release = () => {};
    this.#locks.set(
      key,
      new Promise((resolve) => {
        release = resolve;
      }),
    );
    await before;
    this.locked += 1;
    return {
      release: () => {
        this.locked -= 1;
        release();
      },
    };
  }
}

export type Call = 'image' | 'run' | 'file' | 'http' | 'git' | 'digest' | 'hold';

/** A step's content is a text made of what it ran on, so equal inputs make equal results. */
export class FakeWorker implements Worker {
  readonly calls: [Call, string][] = [];
  /** Content of local contexts: equal to what the selector finds. */
  context = new Map<string, string>();
  /** What a step's result holds, by the step's name; its own name by default. */
  content = new Map<string, string>();
  readonly #contents = new Map<SnapshotId, string>();
  /** Snapshots that are gone. */
  readonly lost = new Set<string>();
  /** Called before a step returns. */
  during: (name: string, context: StepContext) => Promise<void> = async () => {};
  running = 0;
  mostRunning = 0;
  #made = 0;

  count(call: Call, name?: string): number {
    return this.calls.filter(([kind, what]) => kind === call && (name === undefined || what === name)).length;
  }

  async image(op: { reference: string; diffIds: Digest[] }, context: StepContext): Promise<Ref> {
    this.calls.push(['image', op.reference]);
    await this.during(context.vertex.name, context);
    for (const diffId of op.diffIds) this.lost.delete(diffId);
    return { layers: op.diffIds.map((diffId) => ({ snapshot: diffId as string as SnapshotId, diffId })) };
  }

  async http(op: { url: string }, context: StepContext): Promise<{ key: Digest; ref: Ref }> {
    this.calls.push(['http', op.url]);
    await this.during(context.vertex.name, context);
    return { key: sha256(op.url), ref: { layers: [layer(`http:${op.url}`)] } };
  }

  async git(op: { remote: string }, context: StepContext): Promise<{ key: Digest; ref: Ref }> {
    this.calls.push(['git', op.remote]);
    await this.during(context.vertex.name, context);
    return { key: sha256(op.remote), ref: { layers: [layer(`git:${op.remote}`)] } };
  }

  run(
    _op: Op,
    base: Ref,
    mounts: { mount: RunMount; input?: Input }[],
    context: StepContext,
  ): Promise<StepResult> {
    for (const { mount, input } of mounts)
      if (mount.type === 'bind' && input === undefined) throw new Error('no input');
    return this.#step('run', base, context);
  }

  file(_op: Op, base: Ref, _inputs: ReadonlyMap<VertexId, Input>, context: StepContext): Promise<StepResult> {
    return this.#step('file', base, context);
  }

  async #step(call: Call, base: Ref, context: StepContext): Promise<StepResult> {
    const { name } = context.vertex;
    this.calls.push([call, name]);
    this.running += 1;
    this.mostRunning = Math.max(this.mostRunning, this.running);
    try {
      await this.during(name, context);
      context.signal.throwIfAborted();
      this.#made += 1;
      const made = layer(`${name}#${this.#made}`);
      this.#contents.set(made.snapshot, this.content.get(name) ?? name);
      return { ref: { layers: [...base.layers, made] } };
    } finally {
      this.running -= 1;
    }
  }

  async contentDigest(input: Input, selector: Selector, _context: StepContext): Promise<Digest> {
    const path = selector.type === 'copy' ? selector.action.source : selector.path;
    this.calls.push(['digest', path]);
    if (input.type === 'local') {
      const content = this.context.get(path);
      if (content === undefined)
        throw new TsbuildError('TSB_CONTEXT_NOT_FOUND', `${JSON.stringify(path)}: not found`);
      return sha256(content);
    }
    return sha256(
      input.ref.layers.map(({ snapshot }) => this.#contents.get(snapshot) ?? snapshot).join('\n'),
    );
  }

  async hold(ref: Ref): Promise<boolean> {
    this.calls.push(['hold', '']);
    return ref.layers.every(({ snapshot }) => !this.lost.has(snapshot));
  }
}

/** Builds a plan vertex by vertex. */
export class Graph {
  readonly #vertices = new Map<VertexId, Vertex>();

  constructor(readonly prefix = '') {}

  add(op: Op, name: string = op.kind, more: Partial<Vertex> = {}): VertexId {
    const vertex = { op, name, platform: amd64, ignoreCache: false, ...more };
    // Like the planner: the same vertex again is the one that is there.
    const id = `${this.prefix}${sha256(JSON.stringify(vertex)).slice(7, 17)}`;
    this.#vertices.set(id, { id, ...vertex });
    return id;
  }

  image(reference = 'base', diffIds: Digest[] = [sha256(reference)]): VertexId {
    const manifest = { mediaType: '', digest: sha256(reference), size: 1 };
    return this.add(
      { kind: 'image', reference, manifest, diffIds, layers: [], origin: { type: 'registry' } },
      `FROM ${reference}`,
    );
  }

  local(name = 'context'): VertexId {
    return this.add({ kind: 'local', name });
  }

  run(
    base: VertexId,
    name: string,
    more: Partial<Vertex> = {},
    mounts: RunMount[] = [],
    args = [name],
  ): VertexId {
    return this.add(
      {
        kind: 'run',
        base,
        args,
        env: [],
        proxyEnv: [],
        cwd: '/',
        user: '',
        hostname: 'h',
        network: 'default',
        security: 'sandbox',
        mounts,
        mountsAsWritten: [],
        extraHosts: [],
        ulimits: [],
        scripts: [],
        devices: [],
      },
      name,
      more,
    );
  }

  copy(
    base: VertexId,
    from: VertexId,
    source: string,
    name = `COPY ${source}`,
    more: Partial<Vertex> = {},
  ): VertexId {
    const action: CopyAction = {
      type: 'copy',
      from,
      source,
      destination: '/',
      exclude: [],
      parents: false,
      unpack: 'never',
      ownerZero: false,
    };
    return this.add({ kind: 'file', base, actions: [action] }, name, more);
  }

  merge(lower: VertexId, upper: VertexId): VertexId {
    return this.add({ kind: 'merge', lower, upper });
  }

  plan(result: VertexId, text = ''): BuildPlan {
    return {
      platform: amd64,
      imagePlatform: amd64,
      dockerfile: { filename: 'Dockerfile', text },
      vertices: closure(this.#vertices, result),
      result,
      config: {},
      history: [],
      warnings: [],
    };
  }
}

export interface Bench {
  worker: FakeWorker;
  cache: FakeCache;
  events: BuildEvent[];
  solve(plan: BuildPlan | BuildPlan[], more?: Partial<SolveOptions>): Promise<Solved[]>;
}

export function bench(): Bench {
  const worker = new FakeWorker();
  const cache = new FakeCache();
  const events: BuildEvent[] = [];
  return {
    worker,
    cache,
    events,
    solve: (plan, more) =>
      solve({
        plans: Array.isArray(plan) ? plan : [plan],
        worker,
        cache,
        emit: (event) => events.push(event),
        signal: new AbortController().signal,
        ...more,
      }),
  };
}

export function layersOf(solved: Solved | undefined): string[] {
  return solved?.ref.layers.map(({ snapshot }) => snapshot) ?? [];
}
