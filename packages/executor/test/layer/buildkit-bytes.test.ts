/**
 * Layers that BuildKit made (fixtures/buildkit/Dockerfile) are unpacked and packed again: the same bytes must come
 * out. To record them anew: docker buildx build -o type=oci,compression=uncompressed,force-compression=true
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { isRoot } from '../snapshot/trees.js';
import { drivers, newStore } from './tars.js';

const layers = [1, 2, 3, 4].map((number) => {
  const file = new URL(`../../../test/layer/fixtures/buildkit/${number}.tar.gz`, import.meta.url);
  return gunzipSync(readFileSync(file));
});

for (const driver of Object.keys(drivers) as (keyof typeof drivers)[]) {
  test(`layers are packed byte for byte as BuildKit packs them: ${driver}`, {
    skip: isRoot ? false : 'needs root',
  }, async () => {
    const store = newStore(driver);
    try {
      const ids = await store.chain(...layers);
      for (const [index, expected] of layers.entries()) {
        const packed = await store.pack(ids, index);
        assert.ok(
          packed.equals(expected),
          `layer ${index + 1} differs: ${packed.length} and ${expected.length} bytes`,
        );
      }
    } finally {
      await store.remove();
    }
  });
}
