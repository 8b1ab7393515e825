/** Where a registry may have the blobs of a build already, so that a push can mount them instead of sending them. */
import { normalizeReference, parseReference } from '@tsbuild/registry';
import type { CacheSource } from '../api/types.js';
import type { SolvedImage } from './image.js';

/** Repositories of the registry that the build's base images and caches came from. */
export function mountSources(
  images: readonly Pick<SolvedImage, 'plan'>[],
  registry: string,
  caches: readonly CacheSource[] = [],
): string[] {
  const sources = new Set<string>();
  for (const cache of caches) {
    if (cache.type !== 'registry') continue;
    const source = parseReference(normalizeReference(cache.ref));
    if (source.registry === registry) sources.add(source.repository);
  }
  for (const { plan } of images) {
    for (const { op } of plan.vertices.values()) {
      if (op.kind !== 'image' || op.origin.type !== 'registry') continue;
      const source = parseReference(op.reference);
      if (source.registry === registry) sources.add(source.repository);
    }
  }
  return [...sources];
}
