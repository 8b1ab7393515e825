/** A cache under a name of a registry: type=registry, and images with an inline cache. */
import { type Descriptor, TsbuildError } from '@tsbuild/core';
import {
  apiReference,
  decodeIndex,
  familiarReference,
  isIndexType,
  parseReference,
  readRemoteBlob,
  type RemoteRepository,
  type TransferOptions,
  withDefaultTag,
} from '@tsbuild/registry';
import type { Repositories } from '../image/remote.js';
import { inlineCache } from './inline.js';
import { configLimit, readCacheManifest, unusable, writeCacheManifest } from './manifest.js';
import type { CacheDocument, CacheMedium } from './medium.js';

export interface RegistryMediumOptions {
  reference: string;
  repositories: Repositories;
  /** An index instead of an image manifest, for registries that refuse a config of BuildKit's type. */
  form: 'image' | 'index';
  /** Repositories of a registry that may have a layer, which is then mounted and not sent. */
  mountFrom?(registry: string): string[];
}

export function registryMedium({
  reference,
  repositories,
  form,
  mountFrom,
}: RegistryMediumOptions): CacheMedium {
  const parsed = withDefaultTag(parseReference(reference));
  const name = `type=registry,ref=${familiarReference(parsed)}`;
  const repository = () => repositories(parsed);

  const manifestOf = async (wanted: string, options: TransferOptions) => {
    try {
      return await (await repository()).manifest(wanted, options);
    } catch (error) {
      if (TsbuildError.is(error) && error.code === 'TSB_RESOLVE_NOT_FOUND') return undefined;
      throw error;
    }
  };

  return {
    name,
    async load(signal) {
      const found = await manifestOf(apiReference(parsed), { signal });
      if (found === undefined) return undefined;
      const cache = readCacheManifest(found.descriptor, found.bytes, name);
      const from = await repository();
      if (cache === undefined) return await loadInline(from, found, name, signal);
      if (cache.config.size > configLimit) throw unusable(name, 'its config is too large');
      const config = await readRemoteBlob(from, cache.config, configLimit, { signal });
      return { config, blobs: cache.blobs, annotations: cache.annotations };
    },
    async open(blob, options) {
      return await (await repository()).blob(blob, { ...options, unverified: true });
    },
    async put(blob, open, options) {
      const mounts = mountFrom?.(parsed.registry) ?? [];
      const done = await (await repository()).pushBlob(blob, open, { ...options, mountFrom: mounts });
      return done === 'uploaded' ? 'uploaded' : 'exists';
    },
    async publish(document, options) {
      const { config, manifest, bytes } = writeCacheManifest(document, form);
      const target = await repository();
      await target.pushBlob(config, () => once(document.config), options);
      await target.pushManifest(apiReference(parsed), manifest.mediaType, bytes, options);
    },
  };
}

/** The caches in the configs of an image's platforms. */
async function loadInline(
  repository: RemoteRepository,
  found: { descriptor: Descriptor; bytes: Buffer },
  name: string,
  signal: AbortSignal,
): Promise<CacheDocument | undefined> {
  const manifests = isIndexType(found.descriptor.mediaType)
    ? await Promise.all(
        decodeIndex(found.bytes, name)
          .manifests.filter(({ annotations }) => annotations?.['vnd.docker.reference.type'] === undefined)
          .map(async ({ digest }) => (await repository.manifest(digest, { signal })).bytes),
      )
    : [found.bytes];
  return await inlineCache(manifests, name, (config) =>
    readRemoteBlob(repository, config, configLimit, { signal }),
  );
}

export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
