/** The executor: snapshots, contexts, sources, file steps, the sandbox and layers behind one interface. */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Descriptor, type Digest, storeFull, TsbuildError } from '@tsbuild/core';
import * as native from '@tsbuild/native';
import type {
  BuildkitSelector,
  FileOp,
  Input,
  LayerRef,
  Ref,
  RunMount,
  RunOp,
  Selector,
  SnapshotId,
  StepContext,
  StepResult,
  VertexId,
} from '@tsbuild/solver';
import { countDifferences } from './check.js';
import type { BlobContext, ContainerOptions, Executor, ExecutorOptions } from './api.js';
import { bindSource } from './context/bind-source.js';
import { type Contexts, openContexts } from './context/contexts.js';
import { digestBuildkit, hashHeadedWithoutCache } from './content/buildkit-digest.js';
import { digestSelector, hashWithoutCache } from './content/digest.js';
import { Manifests } from './content/manifest.js';
import { manifestDifference } from './content/manifest-diff.js';
import { contentKey, memoised } from './content/memo.js';
import type { Tree } from './content/tree.js';
import { runFileActions } from './fileop/actions.js';
import { acquireLease, type Lease } from './lease/lease.js';
import { extractArchive, exportTree, packLayer, packRootfs, unpackLayer } from './layer/index.js';
import { resolveOwner, type RootSpec, runContainer, runStep, type StepMount } from './run/index.js';
import {
  type ActiveSnapshot,
  openSnapshotter,
  randomSnapshotId,
  type SandboxRootfs,
  type Snapshotter,
} from './snapshot/index.js';
import { decompressFile } from './source/decompress.js';
import { fetchGit } from './source/git.js';
import { fetchHttp } from './source/http.js';
import { presentImage, unpackImage } from './source/image.js';
import { isLazy, realize } from './source/realize.js';
import { type LayerUnpacker, snapshotIdOf } from './source/unpack-layers.js';

/** Opens the store and takes a lease; `close` has to be called. */
export async function createExecutor(options: ExecutorOptions): Promise<Executor> {
  const root = resolve(options.root);
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const lease = await acquireLease(root);
  try {
    const snapshotter = openSnapshotter({
      root,
      tmp: lease.tmp,
      userxattr: process.env['TSBUILD_USERNS'] === '1',
      kind: options.snapshotter,
      manifests: true,
      notice: options.notice,
    });
    const contexts = openContexts(options.contexts, {
      cacheFolder: join(root, 'cache'),
      noStatCache: options.noStatCache ?? false,
      warn: options.notice,
    });
    const manifests = new Manifests(join(root, 'cache', 'files'));
    return compose({ options, root, lease, snapshotter, contexts, manifests });
  } catch (error) {
    await lease.release();
    throw error;
  }
}

interface Parts {
  options: ExecutorOptions;
  root: string;
  lease: Lease;
  snapshotter: Snapshotter;
  contexts: Contexts;
  manifests: Manifests;
}

function compose(parts: Parts): Executor {
  const { options, root, lease, snapshotter, contexts, manifests } = parts;
  return {
    image: (op, context) =>
      inStore(root, context.signal, () =>
        unpackImage(op, { ...unpackerOf(parts), openLayer: options.openLayer }, context),
      ),
    http: (op, context) =>
      inStore(root, context.signal, () =>
        fetchHttp(op, { root, lease, snapshotter, fetchUrl: options.fetchUrl }, context.signal),
      ),
    git: (op, context) =>
      inStore(root, context.signal, () =>
        fetchGit(op, { lease, snapshotter, access: options }, context.signal),
      ),
    run: (op, base, mounts, context) =>
      inStore(root, context.signal, () => run(parts, op, base, mounts, context)),
    file: (op, base, inputs, context) =>
      inStore(root, context.signal, () => file(parts, op, base, inputs, context)),
    contentDigest: (input, selector, context) =>
      inStore(root, context.signal, () => contentDigest(parts, input, selector, context)),
    async filesBetween(before, after) {
      const [old, present] = [manifests.read(before), manifests.read(after)];
      return old && present && manifestDifference(old, present);
    },
    presentImage: (op) => presentImage(op, { lease, exists: (id) => snapshotter.exists(id) }),
    async hold(ref) {
      const canFetch = (layer: LayerRef) => isLazy(layer) && options.canOpenBlob?.(layer.blob) === true;
      return lease.use(idsOf(ref), () =>
        ref.layers.every((layer) => snapshotter.exists(layer.snapshot) || canFetch(layer)),
      );
    },
    async *layerTar(ref, index, pack) {
      await makeReal(parts, { layers: ref.layers.slice(0, index + 1) }, exporting(pack?.signal));
      yield* packLayer(snapshotter, idsOf(ref), index, pack);
    },
    async *rootfsTar(ref, pack) {
      await makeReal(parts, ref, exporting(pack?.signal));
      yield* packRootfs(snapshotter, idsOf(ref), pack);
    },
    exportTree: (ref, destination, signal, fileSeconds) =>
      cancellable(signal, async () => {
        await makeReal(parts, ref, exporting(signal));
        await exportTree(snapshotter, idsOf(ref), destination, signal, fileSeconds);
      }),
    unpackLayer: (tar, diffId, parents, signal) =>
      inStore(root, signal, async (): Promise<LayerRef> => {
        const id = importedId(parents, diffId);
        const present = await lease.use([id], () => snapshotter.exists(id));
        if (!present) await unpackLayer(tar, { snapshotter, diffId, parents: idsOf(parents), id, signal });
        return { snapshot: id, diffId };
      }),
    buildkitDigest: (input, selectors, signal) =>
      inStore(root, signal, () => buildkitDigest(parts, input, selectors, signal)),
    async differsFromLayer({ snapshot }, parents, tar, diffId, signal) {
      const id = randomSnapshotId();
      await lease.use([snapshot, id, ...idsOf(parents)], () => undefined);
      await unpackLayer(tar, { snapshotter, diffId, parents: idsOf(parents), id, signal });
      try {
        const folders = [snapshot, id].map((each) => join(root, 'snapshots', each)) as [string, string];
        return await countDifferences(...folders, signal);
      } finally {
        await snapshotter.remove(id);
      }
    },
    container: (ref, container) => cancellable(container.signal, () => runOnThrowAway(parts, ref, container)),
    async close() {
      try {
        await contexts.close();
        manifests.trim();
        await snapshotter.sync();
      } finally {
        await lease.release();
      }
    },
  };
}

function unpackerOf({ options, root, lease, snapshotter }: Parts): LayerUnpacker {
  return {
    discardDamaged: async (blob, signal) => (await options.discardDamaged?.(blob, signal)) ?? false,
    root,
    lease,
    exists: (id) => snapshotter.exists(id),
    async unpack(tar, diffId, parents, id, signal) {
      await unpackLayer(tar, { snapshotter, diffId, parents, id, signal });
    },
  };
}

/** Before files of a ref are used: makes the snapshots of layers that are known by their blobs only. */
async function makeReal(parts: Parts, ref: Ref, context: BlobContext): Promise<void> {
  const open = async (blob: Descriptor, signal: AbortSignal) => {
    const { openBlob } = parts.options;
    if (openBlob === undefined) throw new Error(`nothing can fetch ${blob.digest}`);
    return await openBlob(blob, { ...context, signal });
  };
  await realize(ref, open, unpackerOf(parts), context);
}

/** Work for an output belongs to no step. */
function exporting(signal: AbortSignal | undefined): BlobContext {
  return { vertex: { id: 'export' }, signal: signal ?? new AbortController().signal, emit: () => {} };
}

function idsOf(ref: Ref): SnapshotId[] {
  return ref.layers.map((layer) => layer.snapshot);
}

/** By chain id where all layers came with an image; a layer on top of others is of no use to anyone else. */
function importedId(parents: Ref, diffId: Digest): SnapshotId {
  const below = parents.layers.map((layer) => layer.diffId);
  return below.every((each) => each !== undefined) ? snapshotIdOf([...below, diffId]) : randomSnapshotId();
}

/** The disk that a full one is said of is the store's. */
async function inStore<T>(root: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await cancellable(signal, work);
  } catch (error) {
    throw fullDisk(error, root) ?? error;
  }
}

/** A step's command that fails on a full disk says so in its own words, or not at all. */
function fullDisk(error: unknown, root: string): TsbuildError | undefined {
  if (!TsbuildError.is(error)) return storeFull(error, root);
  const isSandbox = error.code === 'TSB_HOST_SANDBOX' && /No space left|quota exceeded/i.test(error.message);
  if (isSandbox) return storeFull(Object.assign(new Error(error.message), { code: 'ENOSPC' }), root);
  if (error.code !== 'TSB_EXEC_FAILED' || freeBytes(root) >= littleSpace) return undefined;
  return error.with({
    hint: `The disk of the store ${root} is full: free some with \`tsbuild prune\`, or put the store elsewhere with --root.`,
  });
}

/** Bytes. */
const littleSpace = 256 * 1024;

function freeBytes(root: string): number {
  const fd = native.openat2(native.AT_FDCWD, root, native.constants.O_RDONLY, 0, 0);
  try {
    return native.statfs(fd).freeBytes;
  } finally {
    native.close(fd);
  }
}

/** What an abort interrupts ends as a cancellation, whatever the interrupted call says. */
async function cancellable<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    signal.throwIfAborted();
    return await work();
  } catch (error) {
    if (!signal.aborted || (TsbuildError.is(error) && error.code.startsWith('TSB_CANCELLED_'))) throw error;
    throw new TsbuildError('TSB_CANCELLED_STEP', 'the step was cancelled', { cause: error });
  }
}

async function contentDigest(
  parts: Parts,
  input: Input,
  selector: Selector,
  context: StepContext,
): Promise<Digest> {
  const { options, root, snapshotter, contexts, manifests } = parts;
  const { signal } = context;
  if (input.type === 'local') {
    const hasher = await contexts.hasher(input.name, signal);
    return digestSelector(contexts.tree(input.name), selector, hasher, signal, manifests);
  }
  const key = contentKey(input.ref, selector);
  // Believed only of what came from the same caches: then the results that come of it are marked as theirs, too.
  const known = importedBy([input.ref]).length > 0 ? options.knownContent?.(key, input.ref) : undefined;
  if (known !== undefined) return known;
  return memoised(
    join(root, 'cache', 'content'),
    key,
    async () => {
      await makeReal(parts, input.ref, context);
      const view = await snapshotter.view(idsOf(input.ref), signal);
      try {
        const tree: Tree = { root: view.fd, crossMounts: false };
        return await digestSelector(tree, selector, hashWithoutCache(tree, signal), signal, manifests);
      } finally {
        await view.close();
      }
    },
    options.notice,
  );
}

async function buildkitDigest(
  { options, root, snapshotter, contexts }: Parts,
  input: Input,
  selectors: readonly BuildkitSelector[],
  signal: AbortSignal,
): Promise<Digest | undefined> {
  if (input.type === 'local') {
    const tree = contexts.tree(input.name);
    const hashHeaded = contexts.headedHasher(input.name, signal);
    return digestBuildkit(tree, selectors, { hashHeaded, fromContext: true }, signal);
  }
  return memoised(
    join(root, 'cache', 'content'),
    contentKey(input.ref, selectors),
    async () => {
      if (!input.ref.layers.every(({ snapshot }) => snapshotter.exists(snapshot))) return undefined;
      const view = await snapshotter.view(idsOf(input.ref), signal);
      try {
        const tree: Tree = { root: view.fd, crossMounts: false };
        const hashHeaded = hashHeadedWithoutCache(tree, signal);
        return await digestBuildkit(tree, selectors, { hashHeaded, fromContext: false }, signal);
      } finally {
        await view.close();
      }
    },
    options.notice,
  );
}

/** Runs `work` on a fresh layer above base and publishes it; nothing stays of it after a fault. */
async function onNewLayer<T>(
  parts: Parts,
  base: Ref,
  inputs: readonly Input[],
  context: StepContext,
  work: (active: ActiveSnapshot) => Promise<T>,
): Promise<{ ref: Ref; outcome: T }> {
  const { snapshotter, lease } = parts;
  const { signal } = context;
  const refs = [base, ...inputs.flatMap((input) => (input.type === 'ref' ? [input.ref] : []))];
  for (const ref of refs) await makeReal(parts, ref, context);
  const id = randomSnapshotId();
  await lease.use([id], () => undefined);
  const active = await snapshotter.prepare(idsOf(base), signal);
  let outcome: T;
  try {
    outcome = await work(active);
    signal.throwIfAborted();
  } catch (error) {
    await active.discard();
    throw error;
  }
  await active.commit(id);
  const imported = importedBy(refs);
  const layer: LayerRef = {
    snapshot: id,
    createdAt: now(),
    ...(imported.length === 0 ? {} : { imported }),
  };
  return { ref: { layers: [...base.layers, layer] }, outcome };
}

function importedBy(refs: readonly Ref[]): string[] {
  return [...new Set(refs.flatMap(({ layers }) => layers.flatMap(({ imported = [] }) => imported)))].sort();
}

/** RFC 3339 with nanoseconds, as image configs have it. */
function now(): string {
  const ns = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e6));
  const fraction = String(ns % 1_000_000_000n).padStart(9, '0');
  return `${new Date(Number(ns / 1_000_000_000n) * 1000).toISOString().slice(0, 19)}.${fraction}Z`;
}

async function file(
  parts: Parts,
  op: FileOp,
  base: Ref,
  inputs: ReadonlyMap<VertexId, Input>,
  context: StepContext,
): Promise<StepResult> {
  const { signal } = context;
  const { ref } = await onNewLayer(parts, base, [...inputs.values()], context, async (active) => {
    const sources = await openInputs(parts, inputs, signal);
    try {
      await runFileActions(op.actions, {
        root: active.root(),
        treeOf: (from) => sources.treeOf(from),
        resolveOwner,
        extract: (archive, directory, owner, abort) =>
          extractArchive(decompressFile(archive), directory, { owner, signal: abort }),
        signal,
      });
    } finally {
      await sources.close();
    }
  });
  return { ref };
}

interface OpenInputs {
  treeOf(from: VertexId): Tree;
  close(): Promise<void>;
}

async function openInputs(
  { snapshotter, contexts }: Parts,
  inputs: ReadonlyMap<VertexId, Input>,
  signal: AbortSignal,
): Promise<OpenInputs> {
  const trees = new Map<VertexId, Tree>();
  const closers: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const each of closers.splice(0)) await each();
  };
  try {
    for (const [id, input] of inputs) {
      if (input.type === 'local') {
        trees.set(id, contexts.tree(input.name));
        continue;
      }
      const view = await snapshotter.view(idsOf(input.ref), signal);
      closers.push(() => view.close());
      trees.set(id, { root: view.fd, crossMounts: false });
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    close,
    treeOf(from) {
      const tree = trees.get(from);
      if (tree === undefined) throw new Error(`a file step reads ${from}, which is none of its inputs`);
      return tree;
    },
  };
}

async function run(
  parts: Parts,
  op: RunOp,
  base: Ref,
  mounts: { mount: RunMount; input?: Input }[],
  context: StepContext,
): Promise<StepResult> {
  const { options, root, lease } = parts;
  const { vertex, signal, emit } = context;
  const closers: (() => Promise<void>)[] = [];
  const inputs = mounts.flatMap(({ input }) => input ?? []);
  try {
    const { ref, outcome } = await onNewLayer(parts, base, inputs, context, async (active) => {
      const stepMounts: StepMount[] = [];
      for (const { mount, input } of mounts)
        stepMounts.push(await stepMount(parts, mount, input, signal, closers));
      return await runStep(
        { op, rootfs: rootSpec(active.sandboxRootfs()), mounts: stepMounts },
        {
          vertexId: vertex.id,
          emit,
          signal,
          cacheRoot: join(root, 'mounts'),
          tmp: lease.tmp,
          secret: options.secret,
          sshAgent: options.sshAgent,
          restoreCacheMount: options.restoreCacheMount,
          notice: options.notice,
        },
      ).catch((error: unknown) => {
        // Before what the step wrote is thrown away: then there is room again.
        throw fullDisk(error, root) ?? error;
      });
    });
    return { ref, usage: outcome };
  } finally {
    for (const close of closers) await close();
  }
}

function rootSpec(rootfs: SandboxRootfs): RootSpec {
  if (rootfs.type === 'dir') return { dir: rootfs.dir };
  return { lower: rootfs.lower, upper: rootfs.upper, work: rootfs.work };
}

async function stepMount(
  { options, root, snapshotter, contexts, lease }: Parts,
  mount: RunMount,
  input: Input | undefined,
  signal: AbortSignal,
  closers: (() => Promise<void>)[],
): Promise<StepMount> {
  if (input === undefined) return { mount };
  if (input.type === 'local') {
    const folder = resolve(options.contexts.get(input.name)?.path ?? '');
    const source = 'source' in mount ? mount.source : '/';
    const bound = await bindSource(contexts.tree(input.name), folder, source, lease.tmp, signal);
    closers.push(bound.close);
    return { mount, source: { path: bound.path } };
  }
  if (snapshotter.kind === 'overlay') {
    const lower = idsOf(input.ref).map((id) => join(root, 'snapshots', id, 'fs'));
    return { mount, source: { lower: lower.reverse() } };
  }
  const view = await snapshotter.view(idsOf(input.ref), signal);
  closers.push(() => view.close());
  return { mount, source: { path: `/proc/${process.pid}/fd/${view.fd}` } };
}

async function runOnThrowAway(
  parts: Parts,
  ref: Ref,
  options: ContainerOptions,
): Promise<{ exitCode: number }> {
  const { snapshotter } = parts;
  await makeReal(parts, ref, exporting(options.signal));
  const active = await snapshotter.prepare(idsOf(ref), options.signal);
  try {
    return await runContainer(rootSpec(active.sandboxRootfs()), options);
  } finally {
    await active.discard();
  }
}
