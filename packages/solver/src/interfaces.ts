/**
 * What the solver needs from the outside. It knows no file system and no network: sources are resolved, steps
 * run and results kept by implementations of these interfaces.
 */
import type {
  BuildEvent,
  Digest,
  EventSink,
  ImageConfig,
  Platform,
  StepUsage,
  Descriptor,
} from '@tsbuild/core';
import type {
  CopyAction,
  FileOp,
  GitOp,
  HttpOp,
  ImageOp,
  LocalOp,
  RunMount,
  RunOp,
  Vertex,
  VertexId,
} from './ops.js';

/** A layer's snapshot in the store. */
export type SnapshotId = string & { readonly __snapshot: true };

/** A root file system: a chain of snapshots, bottom first; empty for scratch. Immutable. */
export interface Ref {
  readonly layers: readonly LayerRef[];
}

export interface LayerRef {
  readonly snapshot: SnapshotId;
  /** When the layer was first made, RFC 3339 with nanoseconds; layers of a base image have none. */
  readonly createdAt?: string;
  /** Known for layers that came with an image. */
  readonly diffId?: Digest;
  /** The blob an image's layer came as, so that it is never packed again. */
  readonly blob?: Descriptor;
  /**
   * Shared caches that the layer, or something it was made from, was taken from on trust: it counts only in builds that
   * name them all. Sorted; absent for what was made from sources.
   */
  readonly imported?: readonly string[];
}

export interface ResolvedImage {
  op: ImageOp;
  config: ImageConfig;
}

/** Finds images and contexts while planning. */
export interface SourceResolver {
  /**
   * Resolves an image reference as written in a Dockerfile to a manifest for the platform.
   * @throws TsbuildError TSB_RESOLVE_* naming the registry and the way out
   */
  resolveImage(reference: string, platform: Platform, signal: AbortSignal): Promise<ResolvedImage>;
  /**
   * Named context (--build-context), or undefined where none has that name. A local folder gives a LocalOp.
   */
  resolveNamedContext(
    name: string,
    platform: Platform,
    signal: AbortSignal,
  ): Promise<ResolvedImage | { op: LocalOp } | { op: HttpOp | GitOp } | { target: string } | undefined>;
}

/** A part of an input that a step reads: what COPY's source or a bind mount's source names. */
export type Selector =
  | { type: 'copy'; action: Omit<CopyAction, 'destination' | 'from' | 'chown' | 'chmod' | 'type'> }
  | { type: 'path'; path: string; followLinks: boolean };

/** An input of a step that can be read: a root file system, or a context that is no snapshot. */
export type Input = { type: 'ref'; ref: Ref } | { type: 'local'; name: string };

/** What a step hands to its events; the vertex is implied. */
export interface StepContext {
  vertex: Vertex;
  signal: AbortSignal;
  emit: EventSink;
}

/** Runs vertices. Each call leaves nothing behind when it throws or is aborted. */
export interface Worker {
  /** Makes sure the image's layers are in the store, unpacked. Idempotent; safe with itself in parallel. */
  image(op: ImageOp, context: StepContext): Promise<Ref>;
  /** Fetches (or revalidates); the digest is the key of the source, the ref a tree with the one file in its root. */
  http(op: HttpOp, context: StepContext): Promise<{ key: Digest; ref: Ref }>;
  git(op: GitOp, context: StepContext): Promise<{ key: Digest; ref: Ref }>;
  run(
    op: RunOp,
    base: Ref,
    mounts: { mount: RunMount; input?: Input }[],
    context: StepContext,
  ): Promise<StepResult>;
  file(
    op: FileOp,
    base: Ref,
    inputs: ReadonlyMap<VertexId, Input>,
    context: StepContext,
  ): Promise<StepResult>;
  /**
   * Digest of the selected files by content: destination-relative name, type, mode, owner, link target, xattrs,
   * size and data; never times. Digests of parts of a ref may be kept by its (immutable) layers and the selector.
   * @throws TsbuildError TSB_CONTEXT_NOT_FOUND when a path without wildcards is missing
   */
  contentDigest(input: Input, selector: Selector, context: StepContext): Promise<Digest>;
  /**
   * Whether every layer of the ref is a whole snapshot, or can be fetched when its files are needed; takes a lease on
   * them for this process.
   */
  hold(ref: Ref): Promise<boolean>;
}

export interface StepResult {
  /** Base's layers and one more. */
  ref: Ref;
  usage?: StepUsage;
}

export interface CacheRecord {
  key: Digest;
  /** The layers this vertex added are in the chain; the whole chain is kept so that a hit needs no other record. */
  ref: Ref;
  createdAt: string;
  /** What the step is called, for du, prune and explain. */
  description: string;
}

/** The index of results. Any failure to read is a miss; a record is published whole or not at all. */
export interface CacheStore {
  get(key: Digest): Promise<CacheRecord | undefined>;
  put(record: CacheRecord): Promise<void>;
  /** The step's result in a cache that has other names for steps than keys; asked where no record has the key. */
  find?(vertex: Vertex, known: KnownInput): Promise<Omit<CacheRecord, 'key'> | undefined>;
  /** Waits until this process alone (and this caller alone in it) works on the key. */
  lock(key: Digest, signal: AbortSignal): Promise<{ release(): void }>;
}

/** What a vertex gave in this build, if that was needed; it makes nothing. */
export type KnownInput = (id: VertexId) => Promise<Input | undefined>;

export type { BuildEvent };
