/** The JSON documents of an image: manifests and indexes, from descriptors. Bytes in, descriptors out; no I/O. */
import {
  type Descriptor,
  type ImageIndex,
  type ImageManifest,
  mediaTypes,
  type Platform,
  sha256,
} from '@tsbuild/core';

export interface Document {
  descriptor: Descriptor;
  bytes: Buffer;
}

export function encodeDocument(mediaType: string, value: object): Document {
  const bytes = Buffer.from(JSON.stringify(value));
  return { descriptor: { mediaType, digest: sha256(bytes), size: bytes.length }, bytes };
}

export function configDescriptor(bytes: Uint8Array, docker: boolean): Descriptor {
  const mediaType = docker ? mediaTypes.dockerConfig : mediaTypes.ociConfig;
  return { mediaType, digest: sha256(bytes), size: bytes.length };
}

export function encodeManifest(
  config: Descriptor,
  layers: Descriptor[],
  docker: boolean,
  annotations: Record<string, string> | undefined,
): Document {
  const mediaType = docker ? mediaTypes.dockerManifest : mediaTypes.ociManifest;
  const manifest: ImageManifest = { schemaVersion: 2, mediaType, config, layers, ...annotated(annotations) };
  return encodeDocument(mediaType, manifest);
}

export function encodeIndex(
  manifests: { descriptor: Descriptor; platform: Platform }[],
  docker: boolean,
  annotations: Record<string, string> | undefined,
): Document {
  const mediaType = docker ? mediaTypes.dockerIndex : mediaTypes.ociIndex;
  const index: ImageIndex = {
    schemaVersion: 2,
    mediaType,
    manifests: manifests.map(({ descriptor, platform }) => ({ ...descriptor, platform })),
    ...annotated(annotations),
  };
  return encodeDocument(mediaType, index);
}

/** Sorted by name, so that the order of flags changes no digest. */
function annotated(annotations: Record<string, string> | undefined): {
  annotations?: Record<string, string>;
} {
  const entries = Object.entries(annotations ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? {} : { annotations: Object.fromEntries(entries) };
}

/**
 * Splits annotations by where they go: `manifest:`, `index:`, `manifest-descriptor:`, `index-descriptor:` with an
 * optional `[platform]`; without a prefix they go to the manifest (docker buildx build --annotation).
 */
export function splitAnnotations(annotations: Record<string, string>, platform: string) {
  const parts = { manifest: {}, index: {}, manifestDescriptor: {}, indexDescriptor: {} } as Record<
    'manifest' | 'index' | 'manifestDescriptor' | 'indexDescriptor',
    Record<string, string>
  >;
  const keys = {
    manifest: 'manifest',
    index: 'index',
    'manifest-descriptor': 'manifestDescriptor',
    'index-descriptor': 'indexDescriptor',
  } as const;
  for (const [name, value] of Object.entries(annotations)) {
    const prefixed = /^((?:(?:manifest|index)(?:-descriptor)?(?:\[[^\]]*\])?,?)+):(.*)$/s.exec(name);
    if (!prefixed) {
      parts.manifest[name] = value;
      continue;
    }
    for (const place of prefixed[1]?.split(',') ?? []) {
      const [, kind, only] = /^([a-z-]+)(?:\[([^\]]*)\])?$/.exec(place) ?? [];
      if (only !== undefined && only !== platform) continue;
      parts[keys[kind as keyof typeof keys]][prefixed[2] ?? ''] = value;
    }
  }
  return parts;
}
