/** Where a registry may have the blobs of a build already, so that a push can mount them instead of sending them. */
import { parseReference } from '@tsbuild/registry';
import type { SolvedImage } from './image.js';

/** Repositories of the registry that the build's base images came from. */
export function mountSources(images: readonly Pick<SolvedImage, 'plan'>[], registry: string): string[] {
  const sources = new Set<string>();
  for (const { plan } of images) {
    for (const { op } of plan.vertices.values()) {
      if (op.kind !== 'image' || op.origin.type !== 'registry') continue;
      const source = parseReference(op.reference);
      if (source.registry === registry) sources.add(source.repository);
    }
  }
  return [...sources];
}
