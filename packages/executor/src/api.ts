/** What the executor offers the composition, and what it needs from it. */
import type { Descriptor, Digest, EventSink, Platform } from '@tsbuild/core';
import type { RestoreCache } from './run/cache-mounts.js';
import type {
  BuildkitSelector,
  FileDifference,
  ImageOp,
  Input,
  LayerRef,
  Ref,
  StepContext,
  Worker,
} from '@tsbuild/solver';

/** A context the user named: a folder on disk, or a tree already unpacked into the store. */
export interface ContextSource {
  /** Absolute path of the root. */
  path: string;
  /** Lines of the .dockerignore that applies; undefined for contexts that are not filtered. */
  ignore?: { patterns: string[]; file: string };
}

export interface ExecutorOptions {
  /** Folder of the store (see docs/architecture.md, "The store"). Created where missing. */
  root: string;
  contexts: ReadonlyMap<string, ContextSource>;
  /** Opens a layer of an image as its uncompressed tar stream, fetching the blob where it is not in the store. */
  openLayer(op: ImageOp, layer: Descriptor, context: StepContext): Promise<AsyncIterable<Uint8Array>>;
  /** Whether `openBlob` may be asked for the blob. */
  canOpenBlob?(blob: Descriptor): boolean;
  /** Opens the blob of a layer that is no image's of this build, as its uncompressed tar stream. */
  openBlob?(blob: Descriptor, context: BlobContext): Promise<AsyncIterable<Uint8Array>>;
  /** Content digest of a part of a ref that shared caches brought, by its `contentKey`; saves fetching the ref. */
  knownContent?(key: Digest, ref: Ref): Digest | undefined;
  /** Whether the store's copy of a blob was damaged or gone, and is removed. */
  discardDamaged?(blob: Descriptor, signal: AbortSignal): Promise<boolean>;
  /** Opens a URL; redirects followed; conditional requests are the executor's business. */
  fetchUrl(url: string, headers: Record<string, string>, signal: AbortSignal): Promise<HttpResponse>;
  /** Value of a secret, or undefined. */
  secret(id: string): Promise<Buffer | undefined>;
  /** Path of the ssh agent's socket for an id, or undefined. */
  sshAgent(id: string): string | undefined;
  /** Fills the directory of a cache mount that is new or empty, when a step that uses it is about to run. */
  restoreCacheMount?: RestoreCache;
  /** Said once each: which snapshotter, missing cgroups and so on. */
  notice(message: string): void;
  snapshotter?: 'overlay' | 'copy';
  /** Distrust the stat cache: read every context file again. */
  noStatCache?: boolean;
}

/** For whom a blob is fetched: the step whose progress shows it. */
export type BlobContext = Pick<StepContext, 'signal' | 'emit'> & { vertex: { id: string } };

export interface HttpResponse {
  status: number;
  headers: Record<string, string>;
  body: AsyncIterable<Uint8Array>;
}

export interface Executor extends Worker {
  /**
   * The tar stream of one layer of a ref, deterministic: same snapshot and lower layers, same bytes.
   * @param index position of the layer in ref.layers
   */
  layerTar(ref: Ref, index: number, options?: PackOptions): AsyncIterable<Buffer>;
  /** The whole root file system as one tar stream (--output type=tar). */
  rootfsTar(ref: Ref, options?: PackOptions): AsyncIterable<Buffer>;
  /**
   * Writes the whole root file system into a new or existing folder (--output type=local).
   * @param fileSeconds time of all files, seconds since the epoch; else they keep theirs
   */
  exportTree(ref: Ref, destination: string, signal: AbortSignal, fileSeconds?: number): Promise<void>;
  /** Unpacks a layer's tar stream on top of parents; verifies diffId. Used for import and for images. */
  unpackLayer(
    tar: AsyncIterable<Uint8Array>,
    diffId: Digest,
    parents: Ref,
    signal: AbortSignal,
  ): Promise<LayerRef>;
  /**
   * Digest of the selected files as BuildKit's cache has it; undefined where a path is not there, or where layers would
   * have to be fetched first. Kept like contentDigest's.
   */
  buildkitDigest(
    input: Input,
    selectors: readonly BuildkitSelector[],
    signal: AbortSignal,
  ): Promise<Digest | undefined>;
  /** The files of which two digests of content differ; undefined where the store has no list for one of them. */
  filesBetween(before: Digest, after: Digest): Promise<FileDifference | undefined>;
  /** The image's root file system where all of it is unpacked; fetches nothing. */
  presentImage(op: ImageOp): Promise<Ref | undefined>;
  /**
   * Unpacks a layer's tar beside the snapshot that was made of it.
   * @returns how many files differ
   */
  differsFromLayer(
    layer: LayerRef,
    parents: Ref,
    tar: AsyncIterable<Uint8Array>,
    diffId: Digest,
    signal: AbortSignal,
  ): Promise<number>;
  /** Starts an image's command in the sandbox on a throw-away upper directory (`tsbuild run`). */
  container(ref: Ref, options: ContainerOptions): Promise<{ exitCode: number }>;
  /** Ends leases, removes temporary files. */
  close(): Promise<void>;
}

export interface PackOptions {
  /** Clamp times to this many seconds since the epoch (rewrite-timestamp). */
  clampSeconds?: number;
  /** Time of all files, seconds since the epoch, whatever they have. */
  fileSeconds?: number;
  signal?: AbortSignal;
  /** Told the bytes of each chunk. */
  progress?(bytes: number): void;
}

export interface ContainerOptions {
  args: string[];
  env: [string, string][];
  cwd: string;
  user: string;
  hostname: string;
  network: 'host' | 'none';
  /** Bind mounts of host folders, only ever from the user's own -v flags. */
  volumes: { source: string; target: string; readonly: boolean }[];
  /** Give the process this terminal. */
  tty: boolean;
  interactive: boolean;
  signal: AbortSignal;
  platform?: Platform;
}

export type { EventSink };
