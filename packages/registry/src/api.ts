/**
 * Contracts of the content store, the registry client and the archives. Each interface has one exported suite of
 * checks under test/suites, run over every implementation.
 */
import type { Descriptor, Digest, ImageConfig, ImageIndex, ImageManifest, Platform } from '@tsbuild/core';

/** Bytes of a known digest. */
export type ByteStream = AsyncIterable<Uint8Array>;

/**
 * Immutable blobs by digest, in the layout of the OCI image-layout spec. `put` writes to a temporary name, verifies
 * digest and size, fsyncs, renames: at any crash the blob is there whole or not at all. Putting what exists is no error.
 */
export interface ContentStore {
  has(digest: Digest): Promise<number | undefined>;
  /** @throws TSB_STORE_BLOB_MISSING; the stream throws TSB_INTEGRITY_* if the bytes do not match. */
  open(descriptor: Pick<Descriptor, 'digest' | 'size'>): ByteStream;
  /** For small blobs (manifests, configs); at most `limit` bytes, verified. */
  read(descriptor: Pick<Descriptor, 'digest' | 'size'>): Promise<Buffer>;
  put(
    stream: ByteStream,
    expected: { digest?: Digest; size?: number },
    signal?: AbortSignal,
  ): Promise<{ digest: Digest; size: number }>;
  putBytes(bytes: Uint8Array): Promise<{ digest: Digest; size: number }>;
  remove(digest: Digest): Promise<void>;
  list(): AsyncIterable<{ digest: Digest; size: number; mtimeMs: number }>;
}

/** Names of images: tags of index.json. A change is one rename under a kernel lock. */
export interface TagStore {
  /** Full reference with tag (docker.io/library/x:latest) to descriptor. */
  get(name: string): Promise<Descriptor | undefined>;
  set(name: string, descriptor: Descriptor): Promise<void>;
  delete(name: string): Promise<boolean>;
  list(): Promise<{ name: string; descriptor: Descriptor }[]>;
  /** Writes the names anew as they are read: with what the copy has where the list is damaged. */
  rewrite(): Promise<void>;
}

export interface Transfer {
  item: string;
  action: 'downloading' | 'uploading' | 'exists' | 'done' | 'resolving';
  current: number;
  total?: number;
}

export interface TransferOptions {
  signal: AbortSignal;
  onTransfer?(transfer: Transfer): void;
}

/** One repository of one registry (distribution-spec v1.1). */
export interface RemoteRepository {
  /** Resolves tag or digest; verified bytes of the manifest or index as the registry has it. */
  manifest(reference: string, options: TransferOptions): Promise<{ descriptor: Descriptor; bytes: Buffer }>;
  /** What `manifest` would find, by HEAD where the registry answers it: registries count GETs against rate limits. */
  resolve(reference: string, options: TransferOptions): Promise<Descriptor>;
  /**
   * The request is sent when the stream is first read. Verified, unless the caller says that he does so himself (as
   * `put` of a content store does).
   */
  blob(descriptor: Descriptor, options: TransferOptions & { unverified?: boolean }): Promise<ByteStream>;
  hasBlob(digest: Digest, options: TransferOptions): Promise<boolean>;
  /** Uploads unless there; tries a cross-repository mount from `mountFrom` first. */
  pushBlob(
    descriptor: Descriptor,
    open: () => ByteStream,
    options: TransferOptions & { mountFrom?: string[] },
  ): Promise<'exists' | 'mounted' | 'uploaded'>;
  pushManifest(
    reference: string,
    mediaType: string,
    bytes: Uint8Array,
    options: TransferOptions,
  ): Promise<Descriptor>;
}

/** An image as data: what every medium can read and write. */
export interface ImageContent {
  manifest: ImageManifest;
  manifestBytes: Buffer;
  descriptor: Descriptor;
  config: ImageConfig;
  configBytes: Buffer;
}

export interface IndexContent {
  index: ImageIndex;
  bytes: Buffer;
  descriptor: Descriptor;
}

export type PlatformMatcher = (platform: Platform) => boolean;
