/** The image to push for an image of the store: the same, with its uncompressed layers compressed. */
import { type Descriptor, type Digest, mediaTypes } from '@tsbuild/core';
import { decodeConfig, decodeIndex, decodeManifest, isIndexType } from '@tsbuild/registry';
import type { PushOptions } from '../api/types.js';
import type { OperationContext } from '../engine/context.js';
import { withStep } from '../engine/step.js';
import type { Store } from '../store/open.js';
import { encodeDocument } from './documents.js';
import { createBlobEncoder, type LayerEncoding } from './layers.js';
import { compressionOf, layerMediaType } from './media-types.js';

type Wanted = Pick<PushOptions, 'compression' | 'compressionLevel' | 'forceCompression'>;

/** @returns the root's own descriptor where nothing has to change */
export async function recompress(
  store: Store,
  root: Descriptor,
  wanted: Wanted,
  { emit, signal }: OperationContext,
): Promise<Descriptor> {
  if (isIndexType(root.mediaType)) {
    const index = decodeIndex(await store.content.read(root), root.digest);
    const manifests: Descriptor[] = [];
    for (const child of index.manifests) {
      // Attestations and platforms that were never fetched are left as they are.
      const isImage =
        child.platform?.os !== 'unknown' && (await store.content.has(child.digest)) !== undefined;
      manifests.push(
        isImage ? { ...child, ...(await recompress(store, child, wanted, { emit, signal })) } : child,
      );
    }
    if (manifests.every((child, i) => child.digest === index.manifests[i]?.digest)) return root;
    const { descriptor, bytes } = encodeDocument(root.mediaType, { ...index, manifests });
    await store.content.putBytes(bytes);
    return descriptor;
  }
  const manifest = decodeManifest(await store.content.read(root), root.digest);
  const target = wanted.compression ?? 'gzip';
  const changes = (layer: Descriptor) => {
    const present = compressionOf(layer.mediaType);
    return present !== target && (present === 'uncompressed' || wanted.forceCompression === true);
  };
  if (!manifest.layers.some(changes)) return root;
  const config = decodeConfig(await store.content.read(manifest.config), root.digest);
  const docker = manifest.config.mediaType === mediaTypes.dockerConfig;
  const encoding: LayerEncoding = {
    compression: target,
    level: wanted.compressionLevel,
    force: true,
    docker,
  };
  const encode = createBlobEncoder(store);
  const step = { id: `compress ${root.digest}`, name: `compressing layers (${target})` };
  const layers = await withStep(emit, step, (id) =>
    Promise.all(
      manifest.layers.map(async (layer, i): Promise<Descriptor> => {
        if (!changes(layer)) return layer;
        const blob = await encode(layer, config.rootfs.diff_ids[i] as Digest, encoding, {
          signal,
          progress: (item, action, current, total) =>
            emit({
              type: 'transfer',
              id,
              item,
              action,
              current,
              at: Date.now(),
              ...(total === undefined ? {} : { total }),
            }),
        });
        return { mediaType: layerMediaType(target, docker), ...blob };
      }),
    ),
  );
  const { descriptor, bytes } = encodeDocument(root.mediaType, { ...manifest, layers });
  await store.content.putBytes(bytes);
  return descriptor;
}
