/** Reads OCI layouts in folders without any code of the project's: the tests' second pair of eyes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Descriptor {
  digest: string;
  size: number;
  mediaType: string;
}

export interface LayoutImage {
  manifest: { config: Descriptor; layers: Descriptor[] };
  config: {
    config?: Record<string, unknown>;
    rootfs: { diff_ids: string[] };
    history?: { created_by?: string; empty_layer?: boolean }[];
    [key: string]: unknown;
  };
}

function blob<T>(layout: string, digest: string): T {
  return JSON.parse(readFileSync(join(layout, 'blobs', digest.replace(':', '/')), 'utf8')) as T;
}

/** The only image of a layout. */
export function readLayout(layout: string): LayoutImage {
  const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as { manifests: Descriptor[] };
  const [first] = index.manifests;
  if (!first || index.manifests.length !== 1) throw new Error(`expected one image in ${layout}`);
  const manifest = blob<LayoutImage['manifest']>(layout, first.digest);
  const config = blob<LayoutImage['config']>(layout, manifest.config.digest);
  // For empty lists BuildKit writes null.
  config.history ??= [];
  manifest.layers ??= [];
  config.rootfs.diff_ids ??= [];
  return { manifest, config };
}
