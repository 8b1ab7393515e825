/** Documents and history of an image of the store. */
import { hostPlatform, parsePlatform } from '@tsbuild/core';
import type { HistoryLine, ImageDetails, InspectOptions } from '../api/types.js';
import type { OperationContext } from '../engine/context.js';
import { openStore } from '../store/open.js';
import { findImage } from './find.js';
import { readImage } from './read.js';

export async function inspect(options: InspectOptions, { emit }: OperationContext): Promise<ImageDetails> {
  const store = await openStore({ root: options.root, warn: (message) => emit({ type: 'notice', message }) });
  const { name, descriptor } = await findImage(store, options.reference);
  const platform = options.platform === undefined ? hostPlatform() : parsePlatform(options.platform);
  const image = await readImage(
    (wanted) => store.content.read(wanted),
    descriptor,
    platform,
    options.reference,
  );
  return {
    ...(name === undefined ? {} : { name }),
    digest: descriptor.digest,
    descriptor,
    ...(image.index ? { index: image.index } : {}),
    manifest: image.manifest,
    config: image.config,
  };
}

export async function history(options: InspectOptions, context: OperationContext): Promise<HistoryLine[]> {
  const { manifest, config } = await inspect(options, context);
  let layer = 0;
  const lines = (config.history ?? []).map((entry): HistoryLine => {
    const line: HistoryLine = { createdBy: entry.created_by ?? '', size: 0 };
    if (entry.created !== undefined) line.created = entry.created;
    if (entry.comment !== undefined) line.comment = entry.comment;
    if (!entry.empty_layer) {
      line.size = manifest.layers[layer]?.size ?? 0;
      const diffId = config.rootfs.diff_ids[layer];
      if (diffId) line.diffId = diffId;
      layer++;
    }
    return line;
  });
  // Layers that the history does not mention.
  for (; layer < manifest.layers.length; layer++) {
    const diffId = config.rootfs.diff_ids[layer];
    lines.push({ createdBy: '', size: manifest.layers[layer]?.size ?? 0, ...(diffId ? { diffId } : {}) });
  }
  return lines.reverse();
}
