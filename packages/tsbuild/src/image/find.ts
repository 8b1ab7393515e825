/** Finds an image in the store by what the user calls it: a name, a digest, or the start of an id. */
import { type Descriptor, type Digest, isDigest, mediaTypes, suggest, TsbuildError } from '@tsbuild/core';
import { isIndexType, normalizeReference } from '@tsbuild/registry';
import { familiar } from './names.js';
import type { Store } from '../store/open.js';

export interface FoundImage {
  /** Full name, where it was found by one. */
  name?: string;
  descriptor: Descriptor;
}

const shortestId = 6;

/** @throws TsbuildError TSB_RESOLVE_NOT_IN_STORE */
export async function findImage(store: Store, reference: string): Promise<FoundImage> {
  const found = await tryFindImage(store, reference);
  if (found) return found;
  const names = (await store.tags.list()).map(({ name }) => familiar(name));
  const near = suggest(reference, names);
  throw new TsbuildError('TSB_RESOLVE_NOT_IN_STORE', `no image ${reference} in the store`, {
    hint: near
      ? `Did you mean ${near}?`
      : 'Fetch it with `tsbuild pull`, build it with -t, or see `tsbuild images` for what is there.',
  });
}

export async function tryFindImage(store: Store, reference: string): Promise<FoundImage | undefined> {
  if (isDigest(reference)) return await byDigest(store, reference);
  const name = nameOrUndefined(reference);
  const descriptor = name === undefined ? undefined : await store.tags.get(name);
  if (name !== undefined && descriptor) return { name, descriptor };
  const at = reference.lastIndexOf('@');
  if (at > 0 && isDigest(reference.slice(at + 1)))
    return await byDigest(store, reference.slice(at + 1) as Digest);
  return new RegExp(`^[0-9a-f]{${shortestId},64}$`).test(reference)
    ? await byId(store, reference)
    : undefined;
}

/** Names are normalized; what is no valid name may still be an id. */
function nameOrUndefined(reference: string): string | undefined {
  try {
    return normalizeReference(reference);
  } catch {
    return undefined;
  }
}

/** A digest names a manifest or index whose blob is there, tagged or not, or an image whose config has it. */
async function byDigest(store: Store, digest: Digest): Promise<FoundImage | undefined> {
  for (const { name, descriptor } of await store.tags.list()) {
    if (descriptor.digest === digest) return { name, descriptor };
  }
  const size = await store.content.has(digest);
  if (size !== undefined) {
    const mediaType = await sniff(store, { digest, size });
    if (mediaType) return { descriptor: { mediaType, digest, size } };
  }
  return await byId(store, digest.slice('sha256:'.length));
}

/** Ids as docker has them: the start of a config's or a manifest's digest. */
async function byId(store: Store, start: string): Promise<FoundImage | undefined> {
  const matches = new Map<string, FoundImage>();
  for (const { name, descriptor } of await store.tags.list()) {
    const ids = [descriptor.digest, await configDigest(store, descriptor)];
    if (ids.some((id) => id?.startsWith(`sha256:${start}`)))
      matches.set(descriptor.digest, { name, descriptor });
  }
  if (matches.size > 1) {
    throw new TsbuildError('TSB_RESOLVE_AMBIGUOUS', `the id ${start} fits ${matches.size} images`, {
      hint: 'Give more of its digits.',
    });
  }
  return matches.values().next().value;
}

/** Digest of the config of a plain manifest; undefined for an index, or where the document is gone. */
export async function configDigest(store: Store, descriptor: Descriptor): Promise<Digest | undefined> {
  if (isIndexType(descriptor.mediaType)) return undefined;
  try {
    const manifest = JSON.parse((await store.content.read(descriptor)).toString('utf8')) as {
      config?: Descriptor;
    };
    return manifest.config?.digest;
  } catch {
    return undefined;
  }
}

const largestManifest = 4 * 1024 * 1024;

async function sniff(store: Store, blob: { digest: Digest; size: number }): Promise<string | undefined> {
  if (blob.size > largestManifest) return undefined;
  try {
    const value = JSON.parse((await store.content.read(blob)).toString('utf8')) as Record<string, unknown>;
    if (typeof value.mediaType === 'string') return value.mediaType;
    if (Array.isArray(value.manifests)) return mediaTypes.ociIndex;
    return Array.isArray(value.layers) ? mediaTypes.ociManifest : undefined;
  } catch {
    return undefined;
  }
}
