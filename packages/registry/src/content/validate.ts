/** An image held against all that it promises, as go-containerregistry's validate does: digests, sizes, diffIDs. */
import { TsbuildError, type Descriptor } from '@tsbuild/core';
import type { ContentStore } from '../api.js';
import { decompress } from '../compress/decompress.js';
import { measure } from '../compress/measure.js';
import { decodeIndex, isIndexType } from '../image/decode.js';
import { readImage } from '../image/load.js';

/**
 * Reads every byte of an image, of all images of an index that are in the store.
 * @returns what is wrong, in the order it was found; nothing where all is well
 */
export async function validateImage(
  store: ContentStore,
  root: Descriptor,
  signal: AbortSignal,
): Promise<string[]> {
  signal.throwIfAborted();
  const problems: string[] = [];
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      signal.throwIfAborted();
      if (!TsbuildError.is(error)) throw error;
      problems.push(error.message);
    }
  };
  if (isIndexType(root.mediaType)) {
    await attempt(async () => {
      const { manifests } = decodeIndex(await store.read(root), `index ${root.digest}`);
      for (const child of manifests) {
        if ((await store.has(child.digest)) !== undefined)
          problems.push(...(await validateImage(store, child, signal)));
      }
    });
    return problems;
  }
  await attempt(async () => {
    const { manifest, config } = await readImage(store, root);
    const diffIds = config.rootfs.diff_ids;
    if (diffIds.length !== manifest.layers.length) {
      problems.push(
        `manifest ${root.digest} has ${manifest.layers.length} layers, its config ${diffIds.length} diff_ids`,
      );
    }
    for (const [index, layer] of manifest.layers.entries()) {
      await attempt(async () => {
        const plain = measure(decompress(store.open(layer)));
        for await (const _chunk of plain.stream) signal.throwIfAborted();
        const { digest } = plain.result();
        if (diffIds[index] !== undefined && digest !== diffIds[index]) {
          problems.push(`layer ${layer.digest} unpacks to ${digest}, the config says ${diffIds[index]}`);
        }
      });
    }
  });
  return problems;
}
