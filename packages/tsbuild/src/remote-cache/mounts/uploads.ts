/** Puts into a medium that run beside other work, a few at a time. */
import type { Descriptor } from '@tsbuild/core';
import type { ByteStream, TransferOptions } from '@tsbuild/registry';
import pLimit from 'p-limit';
import type { CacheMedium } from '../medium.js';

const atOnce = 4;

export interface Uploads {
  start(blob: Descriptor, open: () => ByteStream): void;
  /** @throws the first failure, once nothing runs any more */
  finish(): Promise<void>;
}

export function uploadsTo(medium: CacheMedium, options: TransferOptions): Uploads {
  const limit = pLimit(atOnce);
  const running: Promise<void>[] = [];
  let failure: { error: unknown } | undefined;

  async function upload(blob: Descriptor, open: () => ByteStream): Promise<void> {
    if (failure !== undefined) return;
    try {
      await medium.put(blob, open, options);
    } catch (error) {
      failure ??= { error };
    }
  }

  return {
    start: (blob, open) => void running.push(limit(() => upload(blob, open))),
    async finish() {
      await Promise.all(running);
      if (failure !== undefined) throw failure.error;
    },
  };
}

/** Whether the medium still has a blob, told by offering it without having it. */
export async function isThere(
  medium: CacheMedium,
  blob: Descriptor,
  options: TransferOptions,
): Promise<boolean> {
  let wanted = false;
  // biome-ignore lint/correctness/useYield: it has nothing to give
  async function* nothing(): ByteStream {
    wanted = true;
    throw new Error('the blob is only asked for');
  }
  try {
    return (await medium.put(blob, nothing, options)) === 'exists';
  } catch (error) {
    if (wanted && !options.signal.aborted) return false;
    throw error;
  }
}
