/** Small real images in a content store. */
import { randomBytes } from 'node:crypto';
import { mediaTypes, sha256, type Descriptor, type Platform } from '@tsbuild/core';
import type { ByteStream, ContentStore } from '../../src/api.js';
import { writeTar } from '../../src/archive/tar-write.js';
import { packLayer, type Compression } from '../../src/compress/compress.js';

export async function gather(stream: ByteStream): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export interface MadeImage {
  descriptor: Descriptor;
  config: Descriptor;
  layers: Descriptor[];
}

/** An image of layers with one file each. @param sizes bytes of noise per layer */
export async function makeImage(
  store: ContentStore,
  options: { sizes?: number[]; platform?: Platform; compression?: Compression } = {},
): Promise<MadeImage> {
  const {
    sizes = [2000, 300_000],
    platform = { os: 'linux', architecture: 'amd64' },
    compression = 'gzip',
  } = options;
  const layers: Descriptor[] = [];
  const diffIds: string[] = [];
  for (const [index, size] of sizes.entries()) {
    const tar = writeTar([{ path: `file-${index}`, type: 'File', size, body: randomBytes(size) }]);
    const packed = await packLayer(store, tar, { compression });
    layers.push(packed.descriptor);
    diffIds.push(packed.diffId);
  }
  const config = await putJson(store, mediaTypes.ociConfig, {
    ...platform,
    config: { Cmd: ['/file-0'] },
    rootfs: { type: 'layers', diff_ids: diffIds },
  });
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers };
  return { descriptor: await putJson(store, mediaTypes.ociManifest, manifest), config, layers };
}

export async function makeIndex(
  store: ContentStore,
  platforms: Platform[],
): Promise<{ descriptor: Descriptor; images: MadeImage[] }> {
  const images: MadeImage[] = [];
  for (const platform of platforms) images.push(await makeImage(store, { sizes: [500], platform }));
  const manifests = images.map(({ descriptor }, index) => ({ ...descriptor, platform: platforms[index] }));
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
  return { descriptor: await putJson(store, mediaTypes.ociIndex, index), images };
}

export async function putJson(store: ContentStore, mediaType: string, value: unknown): Promise<Descriptor> {
  const bytes = Buffer.from(JSON.stringify(value));
  await store.putBytes(bytes);
  return { mediaType, digest: sha256(bytes), size: bytes.length };
}
