/** `--cache-max-size` and its like on a build: brings the store down to them once the build is over. */
import type { CacheLimits } from '../api/types.js';
import type { OperationContext } from '../engine/context.js';
import { formatBytes } from '../units.js';
import { readInUse } from './in-use.js';
import { openStore } from './open.js';
import { pruneStore } from './prune.js';

/** Never throws: the build is done, and what remains to be said is a notice. */
export async function keepBelow(
  options: CacheLimits & { root?: string | undefined },
  { emit, signal }: OperationContext,
): Promise<void> {
  const { maxUsedBytes, minFreeBytes, keepBytes } = options;
  if (maxUsedBytes === undefined && minFreeBytes === undefined && keepBytes === undefined) return;
  const notice = (message: string) => emit({ type: 'notice', message });
  try {
    const store = await openStore({ root: options.root, warn: notice });
    const filter = { unusedForMs: undefined, matches: () => true };
    const request = { maxUsedBytes, minFreeBytes, keepBytes, filter, all: false, dryRun: false };
    const { bytes, total, limit } = await pruneStore(store, request, signal);
    if (bytes > 0) notice(`removed ${formatBytes(bytes)} of the least recently used cache`);
    if (limit === undefined || total <= limit) return;
    const why = readInUse(store.root).since < Infinity ? 'images and running builds need' : 'images need';
    const most = limit < 0 ? 'too little is free' : `${formatBytes(limit)} is the most it may take`;
    notice(
      `the store ${store.root} takes ${formatBytes(total)}, and ${most}: the rest is what ${why}. Remove images with "tsbuild rmi", or raise the limit`,
    );
  } catch (error) {
    if (!signal.aborted) notice(`the store was not brought down to its limit: ${(error as Error).message}`);
  }
}
