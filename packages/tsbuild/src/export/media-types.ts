/** Media types of layers, in OCI's and in docker's names. */
import { mediaTypes, TsbuildError } from '@tsbuild/core';
import type { Compression } from '../api/types.js';

const dockerZstd = 'application/vnd.docker.image.rootfs.diff.tar.zstd';

const names: Record<Compression, { oci: string; docker: string }> = {
  uncompressed: { oci: mediaTypes.ociLayer, docker: mediaTypes.dockerLayer },
  gzip: { oci: mediaTypes.ociLayerGzip, docker: mediaTypes.dockerLayerGzip },
  zstd: { oci: mediaTypes.ociLayerZstd, docker: dockerZstd },
};

/** Media types that are not to be distributed any more; they name the same bytes. */
const aliases: Record<string, Compression> = {
  'application/vnd.docker.image.rootfs.foreign.diff.tar': 'uncompressed',
  'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip': 'gzip',
  'application/vnd.oci.image.layer.nondistributable.v1.tar': 'uncompressed',
  'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip': 'gzip',
  'application/vnd.oci.image.layer.nondistributable.v1.tar+zstd': 'zstd',
};

/** The compression that a layer's media type names. @throws TsbuildError TSB_RESOLVE_MEDIA_TYPE */
export function compressionOf(mediaType: string): Compression {
  for (const [compression, { oci, docker }] of Object.entries(names)) {
    if (mediaType === oci || mediaType === docker) return compression as Compression;
  }
  const alias = aliases[mediaType];
  if (alias) return alias;
  throw new TsbuildError(
    'TSB_RESOLVE_MEDIA_TYPE',
    `a layer has the media type ${mediaType}, which is no file system layer`,
    {
      hint: 'The reference names an artifact, not an image.',
    },
  );
}

/** @param kind a compression, or the media type a layer has */
export function layerMediaType(kind: string, docker: boolean): string {
  const compression = kind in names ? (kind as Compression) : compressionOf(kind);
  return names[compression][docker ? 'docker' : 'oci'];
}
