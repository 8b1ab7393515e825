/** Makes the image of a solved build: layer blobs, configs, manifests and, for several platforms, an index. */
import { type Descriptor, type Digest, formatPlatform, type Platform } from '@tsbuild/core';
import type { Executor } from '@tsbuild/executor';
import { encodeConfig, finalizeImage, type Solved } from '@tsbuild/solver';
import type { Compression, ImageAttributes } from '../api/types.js';
import { inlineMembersOf } from '../remote-cache/export.js';
import type { Store } from '../store/open.js';
import { configDescriptor, encodeIndex, encodeManifest, splitAnnotations } from './documents.js';
import type { LayerEncoding, LayerPacker, LayerWork } from './layers.js';

/** One platform's result. */
export interface SolvedImage extends Solved {
  platform: Platform;
}

export interface ImageForm {
  compression: Compression;
  compressionLevel: number | undefined;
  forceCompression: boolean;
  docker: boolean;
  clampSeconds: number | undefined;
  annotations: Record<string, string>;
  /** Set where the image's config holds the cache of its steps. */
  inlineCache: Executor['buildkitDigest'] | undefined;
  /** Whether layers that came as blobs may stay where they are: for an image that is pushed only. */
  leaveRemote: boolean;
}

/** An image in the store's content, without a name yet. */
export interface WrittenImage {
  descriptor: Descriptor;
  /** Only with one platform. */
  configDigest?: Digest;
}

/** @param docker what the output type defaults to */
export function imageForm(
  attributes: ImageAttributes,
  defaults: { compression: Compression; docker: boolean; leaveRemote?: boolean },
  build: {
    annotations: Record<string, string>;
    sourceDateEpoch: number | undefined;
    inlineCache: Executor['buildkitDigest'] | undefined;
  },
): ImageForm {
  return {
    compression: attributes.compression ?? defaults.compression,
    compressionLevel: attributes.compressionLevel,
    forceCompression: attributes.forceCompression ?? false,
    docker: attributes.ociMediatypes === undefined ? defaults.docker : !attributes.ociMediatypes,
    clampSeconds: attributes.rewriteTimestamp ? build.sourceDateEpoch : undefined,
    annotations: { ...build.annotations, ...attributes.annotations },
    inlineCache: build.inlineCache,
    leaveRemote: defaults.leaveRemote ?? false,
  };
}

/** Writes blobs and documents into the store. Nothing names them until the caller does. */
export async function writeImage(
  store: Store,
  packer: LayerPacker,
  images: readonly SolvedImage[],
  form: ImageForm,
  work: LayerWork,
): Promise<WrittenImage> {
  const written = await Promise.all(images.map((image) => writePlatform(store, packer, image, form, work)));
  const [only] = written;
  if (only && written.length === 1) {
    return { descriptor: only.descriptor, configDigest: only.config };
  }
  const annotations = splitAnnotations(form.annotations, '').index;
  const index = encodeIndex(written, form.docker, annotations);
  await store.content.putBytes(index.bytes);
  return { descriptor: index.descriptor };
}

async function writePlatform(
  store: Store,
  packer: LayerPacker,
  image: SolvedImage,
  form: ImageForm,
  work: LayerWork,
) {
  const { platform, plan, ref } = image;
  const encoding: LayerEncoding = {
    compression: form.compression,
    level: form.compressionLevel,
    force: form.forceCompression,
    docker: form.docker,
    clampSeconds: form.clampSeconds,
    leaveRemote: form.leaveRemote,
  };
  const layers = await Promise.all(ref.layers.map((_, index) => packer.blob(ref, index, encoding, work)));
  const diffIds = await Promise.all(
    ref.layers.map((_, index) => packer.diffId(ref, index, form.clampSeconds, work)),
  );
  const cache = form.inlineCache ? await inlineMembersOf(image, { packer, work }, form.inlineCache) : {};
  const config = encodeConfig({ ...finalizeImage(plan, ref, diffIds), ...cache });
  const annotations = splitAnnotations(form.annotations, formatPlatform(platform));
  const configBlob = configDescriptor(config, form.docker);
  const manifest = encodeManifest(configBlob, layers, form.docker, annotations.manifest);
  await store.content.putBytes(config);
  await store.content.putBytes(manifest.bytes);
  const described = annotations.manifestDescriptor;
  const descriptor =
    Object.keys(described).length > 0
      ? { ...manifest.descriptor, annotations: described }
      : manifest.descriptor;
  return { root: manifest.descriptor, descriptor, platform, config: configBlob.digest };
}
