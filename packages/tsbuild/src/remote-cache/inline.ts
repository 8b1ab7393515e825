/**
 * A cache in the config of the image itself: `moby.buildkit.cache.v0` is BuildKit's, a member of our own holds tsbuild's
 * index. The layers are the image's, so the documents name none.
 */
import { gunzipSync, gzipSync } from 'node:zlib';
import { type Descriptor, type Digest, isDigest } from '@tsbuild/core';
import { decodeManifest } from '@tsbuild/registry';
import { indexLimit } from './cache-index.js';
import type { CacheDocument } from './medium.js';

export const buildkitMember = 'moby.buildkit.cache.v0';
export const indexMember = 'dev.tsbuild.cache.v1';

/**
 * Members for an image's config.
 * @param buildkit records of BuildKit's
 */
export function inlineMembers(index: Buffer, buildkit: Buffer): Record<string, string> {
  return {
    [buildkitMember]: buildkit.toString('base64'),
    [indexMember]: gzipSync(index, { level: 9 }).toString('base64'),
  };
}

/** An inline cache as a document: with the index inside, and the image's layers, told by diff id, as its blobs. */
export interface InlineCache extends CacheDocument {
  inline: {
    index: Buffer | undefined;
    buildkit: Buffer | undefined;
    layers: Map<Digest, Descriptor>;
    /** All layers in order. */
    chain: { diffId: Digest; blob: Descriptor }[];
  }[];
}

export async function inlineCache(
  manifests: readonly Buffer[],
  name: string,
  readConfig: (config: Descriptor) => Promise<Buffer>,
): Promise<InlineCache | undefined> {
  const inline: InlineCache['inline'] = [];
  for (const bytes of manifests) {
    const manifest = decodeManifest(bytes, name);
    const config = JSON.parse((await readConfig(manifest.config)).toString('utf8')) as Record<
      string,
      unknown
    >;
    const index = memberOf(config, indexMember);
    const buildkit = memberOf(config, buildkitMember);
    if (index === undefined && buildkit === undefined) continue;
    const diffIds = (config.rootfs as { diff_ids?: unknown } | undefined)?.diff_ids;
    const chain: { diffId: Digest; blob: Descriptor }[] = [];
    for (const [at, diffId] of (Array.isArray(diffIds) ? (diffIds as unknown[]) : []).entries()) {
      const blob = manifest.layers[at];
      if (isDigest(diffId) && blob !== undefined) chain.push({ diffId, blob });
    }
    inline.push({
      index: index === undefined ? undefined : gunzipSync(index, { maxOutputLength: indexLimit }),
      // Its records count layers, so that none may be missing.
      buildkit: chain.length === manifest.layers.length ? buildkit : undefined,
      layers: new Map(chain.map(({ diffId, blob }) => [diffId, blob])),
      chain,
    });
  }
  if (inline.length === 0) return undefined;
  const blobs = inline.flatMap(({ layers }) => [...layers.values()]);
  return { config: Buffer.from('{}'), blobs, annotations: {}, inline };
}

export function isInline(document: CacheDocument): document is InlineCache {
  return 'inline' in document;
}

function memberOf(config: Record<string, unknown>, name: string): Buffer | undefined {
  const value = config[name];
  return typeof value === 'string' ? Buffer.from(value, 'base64') : undefined;
}
