/** Manifests and indexes rewritten with docker's media types, or with OCI's: same blobs, other documents. */
import { mediaTypes, type Descriptor, type ImageIndex, type ImageManifest } from '@tsbuild/core';
import type { ContentStore } from '../api.js';
import { decodeIndex, decodeManifest, isIndexType } from './decode.js';

export type MediaTypeFamily = 'oci' | 'docker';

/** Docker's schema has no zstd; containerd and BuildKit agreed on this name. */
const dockerLayerZstd = 'application/vnd.docker.image.rootfs.diff.tar.zstd';

/** OCI's name and docker's for the same thing. */
const pairs: readonly (readonly [string, string])[] = [
  [mediaTypes.ociManifest, mediaTypes.dockerManifest],
  [mediaTypes.ociIndex, mediaTypes.dockerIndex],
  [mediaTypes.ociConfig, mediaTypes.dockerConfig],
  [mediaTypes.ociLayer, mediaTypes.dockerLayer],
  [mediaTypes.ociLayerGzip, mediaTypes.dockerLayerGzip],
  [mediaTypes.ociLayerZstd, dockerLayerZstd],
];

/** The same kind of document or layer in the other family; types that have no counterpart stay. */
export function convertMediaType(mediaType: string, family: MediaTypeFamily): string {
  const pair = pairs.find((one) => one.includes(mediaType));
  return pair === undefined ? mediaType : pair[family === 'oci' ? 0 : 1];
}

/**
 * Writes converted documents into the store.
 * @returns the new root; the same descriptor where nothing had to change
 */
export async function convertImage(
  store: ContentStore,
  root: Descriptor,
  family: MediaTypeFamily,
): Promise<Descriptor> {
  const convert = (descriptor: Descriptor): Descriptor => ({
    ...descriptor,
    mediaType: convertMediaType(descriptor.mediaType, family),
  });
  const bytes = await store.read(root);
  const mediaType = convertMediaType(root.mediaType, family);
  let document: ImageManifest | ImageIndex;
  if (isIndexType(root.mediaType)) {
    const index = decodeIndex(bytes, `index ${root.digest}`);
    const manifests: Descriptor[] = [];
    for (const child of index.manifests) {
      const known = (await store.has(child.digest)) !== undefined;
      manifests.push(known ? await convertImage(store, child, family) : child);
    }
    document = withoutForeign({ ...index, mediaType, manifests }, family);
  } else {
    const manifest = decodeManifest(bytes, `manifest ${root.digest}`);
    document = withoutForeign(
      { ...manifest, mediaType, config: convert(manifest.config), layers: manifest.layers.map(convert) },
      family,
    );
  }
  const converted = Buffer.from(JSON.stringify(document));
  if (
    mediaType === root.mediaType &&
    JSON.stringify(JSON.parse(bytes.toString('utf8'))) === converted.toString('utf8')
  ) {
    return root;
  }
  return { ...root, mediaType, ...(await store.putBytes(converted)) };
}

/** docker's schema 2 has no annotations, artifact types or subjects. */
function withoutForeign<T extends ImageManifest | ImageIndex>(document: T, family: MediaTypeFamily): T {
  if (family === 'oci') return document;
  const { annotations: _annotations, artifactType: _artifactType, ...rest } = document;
  return rest as T;
}
