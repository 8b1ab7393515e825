/** Reads an image's documents from wherever they are: index, manifest and config, for a platform. */
import {
  type Descriptor,
  formatPlatform,
  type ImageConfig,
  type ImageIndex,
  type ImageManifest,
  mediaTypes,
  type Platform,
  TsbuildError,
} from '@tsbuild/core';
import {
  chooseManifest,
  type ContentStore,
  decodeConfig,
  decodeIndex,
  decodeManifest,
  isIndexType,
} from '@tsbuild/registry';

/** The verified bytes of a document. */
export type ReadDocument = (descriptor: Descriptor) => Promise<Buffer>;

export interface ImageDocuments {
  /** Of the manifest, with the media type the document has. */
  descriptor: Descriptor;
  manifest: ImageManifest;
  config: ImageConfig;
  /** Where the root was an index. */
  index?: ImageIndex;
}

/**
 * @param name how the user knows the image, for messages
 * @throws TsbuildError TSB_RESOLVE_NO_PLATFORM, TSB_RESOLVE_NOT_AN_IMAGE
 */
export async function readImage(
  read: ReadDocument,
  root: Descriptor,
  platform: Platform,
  name: string,
): Promise<ImageDocuments> {
  if (!isIndexType(root.mediaType)) return await readManifest(read, root, name);
  const index = decodeIndex(await read(root), name);
  const chosen = chooseManifest(index, platform, name);
  return { ...(await readImage(read, chosen, platform, name)), index };
}

async function readManifest(
  read: ReadDocument,
  descriptor: Descriptor,
  name: string,
): Promise<ImageDocuments> {
  const manifest = decodeManifest(await read(descriptor), name);
  const { mediaType } = manifest.config;
  if (mediaType !== mediaTypes.ociConfig && mediaType !== mediaTypes.dockerConfig) {
    throw new TsbuildError(
      'TSB_RESOLVE_NOT_AN_IMAGE',
      `${name} is no container image: its config is ${mediaType}`,
      {
        hint: 'The reference names another kind of artifact.',
      },
    );
  }
  const config = decodeConfig(await read(manifest.config), name);
  if (config.rootfs.diff_ids.length !== manifest.layers.length) {
    throw new TsbuildError(
      'TSB_INTEGRITY_LAYERS',
      `${name} is damaged: its config and its manifest list different layers`,
      {
        hint: 'Push the image again with the tool that made it.',
      },
    );
  }
  return { descriptor, manifest, config };
}

/** The platforms an index has images for; attestations (platform unknown/unknown) are no images. */
export function platformsOf(index: ImageIndex): string[] {
  return index.manifests
    .filter((entry) => entry.platform && entry.platform.os !== 'unknown')
    .map((entry) => formatPlatform(entry.platform as Platform));
}

/**
 * What of an image is in the store, children before their parents, each once: all blobs below the root by name,
 * but a document that is missing or damaged ends its branch (an index may list platforms that were never fetched).
 */
export async function blobsBelow(store: Pick<ContentStore, 'read'>, root: Descriptor): Promise<Descriptor[]> {
  const found = new Map<string, Descriptor>();
  const visit = async (descriptor: Descriptor): Promise<void> => {
    if (found.has(descriptor.digest)) return;
    const bytes = await store.read(descriptor).catch(expected);
    if (bytes && isIndexType(descriptor.mediaType)) {
      for (const child of decodeIndex(bytes, descriptor.digest).manifests) await visit(child).catch(expected);
    } else if (bytes) {
      const manifest = decodeManifest(bytes, descriptor.digest);
      for (const blob of [manifest.config, ...manifest.layers]) found.set(blob.digest, blob);
    }
    found.set(descriptor.digest, descriptor);
  };
  await visit(root).catch(expected);
  return [...found.values()];
}

function expected(error: unknown): undefined {
  if (!TsbuildError.is(error)) throw error;
  return undefined;
}
