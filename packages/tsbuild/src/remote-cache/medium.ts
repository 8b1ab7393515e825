/**
 * Where a shared cache lives: a registry, a folder, a bucket. A medium keeps blobs by digest and one document that names
 * them; what the documents mean is no medium's business (see document.ts).
 */
import type { Descriptor } from '@tsbuild/core';
import type { ByteStream, TransferOptions } from '@tsbuild/registry';

/** What a medium keeps under the cache's name. */
export interface CacheDocument {
  /** BuildKit's cache config, `application/vnd.buildkit.cacheconfig.v0`; JSON. */
  config: Buffer;
  /**
   * All blobs of the cache, each once: layers, and documents of tsbuild's own told by their media type. A medium lists
   * them in its manifest, so that a registry's garbage collection keeps them.
   */
  blobs: readonly Descriptor[];
  /** Of the manifest; a signature is one. */
  annotations: Readonly<Record<string, string>>;
}

/** Methods throw TsbuildError; whoever calls them makes a failure a warning (docs/caching.md, "Shared caches"). */
export interface CacheMedium {
  /** For messages and as the source's name in records: `type=registry,ref=host/repo:tag`; never holds a credential. */
  readonly name: string;
  /** The cache's document, or undefined where there is no cache of that name yet. */
  load(signal: AbortSignal): Promise<CacheDocument | undefined>;
  /** Bytes of a blob. Not verified: who reads it checks digest and size. */
  open(blob: Descriptor, options: TransferOptions): Promise<ByteStream>;
  /** Uploads unless there. `open` may be called again after a failure. */
  put(blob: Descriptor, open: () => ByteStream, options: TransferOptions): Promise<'exists' | 'uploaded'>;
  /** Makes the document the cache's; all its blobs were put before. A reader sees the old one or the new one, whole. */
  publish(document: CacheDocument, options: TransferOptions): Promise<void>;
}
