/** Finds what FROM, COPY --from and --build-context name: the solver's SourceResolver over store and registries. */
import { isAbsolute, resolve } from 'node:path';
import { type Descriptor, isDigest, mediaTypes, type Platform, sha256, TsbuildError } from '@tsbuild/core';
import { formatReference, parseReference, type Reference, withDefaultTag } from '@tsbuild/registry';
import type { ImageOp, ResolvedImage, SourceResolver } from '@tsbuild/solver';
import { fetchRoot, readThrough } from '../image/fetch.js';
import { type ReadDocument, readImage } from '../image/read.js';
import type { Repositories } from '../image/remote.js';
import type { Store } from '../store/open.js';
import { rememberedName, rememberName } from './names.js';
import { openLayout } from './layout.js';
import { parseRemoteContext } from './remote-context.js';

export interface ResolverOptions {
  store: Store;
  repositories: Repositories;
  /** Ask the registry even where the store knows the name. */
  pull: boolean;
  /** --build-context. */
  buildContexts: Readonly<Record<string, string>>;
}

export function createResolver(options: ResolverOptions): SourceResolver {
  /** One question per name and build, so that both platforms and all stages see the same image. */
  const roots = new Map<string, Promise<Descriptor>>();

  const rootOf = (reference: Reference, signal: AbortSignal): Promise<Descriptor> => {
    const name = formatReference(reference);
    const known = roots.get(name);
    if (known) return known;
    const root = findRoot(options, reference, signal);
    roots.set(name, root);
    return root;
  };

  const resolveImage: SourceResolver['resolveImage'] = async (text, platform, signal) => {
    const reference = withDefaultTag(parseReference(text));
    const read = readThrough(options.store, options.repositories, reference, signal);
    return await toResolved(text, read, await rootOf(reference, signal), platform, { type: 'registry' });
  };

  return {
    resolveImage,
    async resolveNamedContext(name, platform, signal) {
      const value = options.buildContexts[name];
      if (value === undefined) return undefined;
      if (value.startsWith('docker-image://')) {
        const image = value.slice('docker-image://'.length);
        return image === 'scratch' ? emptyImage(platform) : await resolveImage(image, platform, signal);
      }
      if (value.startsWith('target:')) return { target: value.slice('target:'.length) };
      if (value.startsWith('oci-layout://'))
        return await resolveLayout(value.slice('oci-layout://'.length), platform);
      const remote = parseRemoteContext(value);
      return remote ? { op: remote } : { op: { kind: 'local', name } };
    },
  };
}

/** Digest of what a name stands for: from the store, from an earlier build, or from the registry. */
async function findRoot(
  options: ResolverOptions,
  reference: Reference,
  signal: AbortSignal,
): Promise<Descriptor> {
  const { store, repositories } = options;
  const name = formatReference(reference);
  if (!options.pull || reference.digest !== undefined) {
    const tagged = reference.digest === undefined ? await store.tags.get(name) : undefined;
    const known = tagged ?? rememberedName(store, name);
    if (known && (await store.useBlob(known.digest, known.size))) return known;
  }
  const root = await fetchRoot(store, repositories, reference, signal);
  rememberName(store, name, root);
  return root;
}

async function toResolved(
  reference: string,
  read: ReadDocument,
  root: Descriptor,
  platform: Platform,
  origin: ImageOp['origin'],
): Promise<ResolvedImage> {
  const { descriptor, manifest, config } = await readImage(read, root, platform, reference);
  const op: ImageOp = {
    kind: 'image',
    reference,
    manifest: descriptor,
    named: root.digest,
    diffIds: config.rootfs.diff_ids,
    layers: manifest.layers,
    origin,
  };
  return { op, config };
}

/** docker-image://scratch: no layers, nothing to fetch. */
/** What `docker-image://scratch` gives. */
export function emptyImage(platform: Platform): ResolvedImage {
  return {
    op: {
      kind: 'image',
      reference: 'scratch',
      manifest: { mediaType: mediaTypes.ociManifest, digest: sha256(''), size: 0 },
      diffIds: [],
      layers: [],
      origin: { type: 'store' },
    },
    config: { ...platform, config: { WorkingDir: '/' }, rootfs: { type: 'layers', diff_ids: [] } },
  };
}

/** `PATH`, `PATH:TAG` or `PATH@DIGEST`, as buildx reads them. */
async function resolveLayout(text: string, platform: Platform): Promise<ResolvedImage> {
  const at = text.lastIndexOf('@');
  const digest = at > 0 ? text.slice(at + 1) : undefined;
  if (digest !== undefined && !isDigest(digest)) {
    throw new TsbuildError(
      'TSB_RESOLVE_BAD_REFERENCE',
      `${JSON.stringify(digest)} in oci-layout://${text} is no digest`,
      {
        hint: 'Write oci-layout://PATH@sha256:… or oci-layout://PATH:TAG.',
      },
    );
  }
  const rest = digest === undefined ? text : text.slice(0, at);
  const colon = rest.lastIndexOf(':');
  const tag = digest === undefined && colon > rest.lastIndexOf('/') ? rest.slice(colon + 1) : undefined;
  const path = tag === undefined ? rest : rest.slice(0, colon);
  const absolute = isAbsolute(path) ? path : resolve(path);
  const layout = await openLayout(absolute);
  const root = await layout.root({ tag, digest });
  return await toResolved(`oci-layout://${text}`, layout.read, root, platform, {
    type: 'oci-layout',
    path: absolute,
  });
}
