/** Puts into a medium that run beside other work, a few at a time. */
import type { Descriptor } from '@tsbuild/core';
import type { ByteStream, TransferOptions } from '@tsbuild/registry';
import type { CacheMedium } from '../medium.js';

const atOnce = 4;

export interface Uploads {
  /** Bytes that the medium did not have. */
  readonly sent: number;
  start(blob: Descriptor, open: () => ByteStream): void;
  /** @throws the first failure, once nothing runs any more */
  finish(): Promise<void>;
}

export function uploadsTo(medium: CacheMedium, options: TransferOptions): Uploads {
  const waiting: (() => Promise<void>)[] = [];
  const running = new Set<Promise<void>>();
  let failure: { error: unknown } | undefined;
  let sent = 0;

  function next(): void {
    while (running.size < atOnce && failure === undefined) {
      const work = waiting.shift();
      if (work === undefined) return;
      const run = work()
        .catch((error: unknown) => {
          failure ??= { error };
        })
        .finally(() => {
          running.delete(run);
          next();
        });
      running.add(run);
    }
  }

  return {
    get sent() {
      return sent;
    },
    start(blob, open) {
      waiting.push(async () => {
        if ((await medium.put(blob, open, options)) === 'uploaded') sent += blob.size;
      });
      next();
    },
    async finish() {
      while (running.size > 0) await Promise.all(running);
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
