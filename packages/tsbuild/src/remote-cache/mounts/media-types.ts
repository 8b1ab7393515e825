/** Media types of the blobs that saved cache mounts are made of. */
import { canWriteZstd } from '@tsbuild/registry';

export const mountsType = 'application/vnd.tsbuild.cache.mounts.v1+json';

const tree = 'application/vnd.tsbuild.cache.mount-tree.v1';
const pack = 'application/vnd.tsbuild.cache.pack.v1';

/** The order is a part of the tree's format. */
export const packTypes = [`${pack}+gzip`, `${pack}+zstd`];
export const treeTypes = [`${tree}+gzip`, `${tree}+zstd`];

/** What this Node writes; all read both. */
export const packing = canWriteZstd ? 'zstd' : 'gzip';
export const treeType = `${tree}+${packing}`;
export const packType = `${pack}+${packing}`;

/** Whether a cache's blob belongs to saved cache mounts. */
export function isMountBlob({ mediaType }: { mediaType: string }): boolean {
  return mediaType === mountsType || packTypes.includes(mediaType) || treeTypes.includes(mediaType);
}
