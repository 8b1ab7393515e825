/** Puts into a medium that run beside other work, a few at a time. */
import type { Descriptor, Digest } from '@tsbuild/core';
import type { ByteStream, TransferOptions } from '@tsbuild/registry';
import pLimit from 'p-limit';
import type { CacheMedium } from '../medium.js';

const atOnce = 4;

export interface Uploads {
  start(blob: Descriptor, open: () => ByteStream): void;
  /** @throws the first failure, once nothing runs any more */
  finish(): Promise<void>;
  /** Begins no further one, and waits for those that run. */
  abandon(): Promise<void>;
}

export function uploadsTo(medium: CacheMedium, presence: Presence, options: TransferOptions): Uploads {
  const limit = pLimit(atOnce);
  const running: Promise<void>[] = [];
  let failure: { error: unknown } | undefined;

  async function upload(blob: Descriptor, open: () => ByteStream): Promise<void> {
    if (failure !== undefined) return;
    try {
      await medium.put(blob, open, options);
      presence.note(blob);
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
    async abandon() {
      failure ??= { error: new Error('the upload was given up') };
      await Promise.all(running);
    },
  };
}

/** Which blobs the medium has; each is asked for once. */
export interface Presence {
  /** @throws what the medium throws */
  has(blob: Descriptor): Promise<boolean>;
  /** For what was put. */
  note(blob: Descriptor): void;
}

const questionsAtOnce = 8;

/** Blobs are asked for by offering them without having them. */
export function presenceIn(medium: CacheMedium, options: TransferOptions): Presence {
  const limit = pLimit(questionsAtOnce);
  const known = new Map<Digest, Promise<boolean>>();
  return {
    has(blob) {
      const answer = known.get(blob.digest) ?? limit(() => isThere(medium, blob, options));
      known.set(blob.digest, answer);
      return answer;
    },
    note: ({ digest }) => void known.set(digest, Promise.resolve(true)),
  };
}

async function isThere(medium: CacheMedium, blob: Descriptor, options: TransferOptions): Promise<boolean> {
  let wanted = false;
  // biome-ignore lint/correctness/useYield: it has nothing to give
  async function* nothing(): ByteStream {
    wanted = true;
    throw new Error('the blob is only asked for');
  }
  options.signal.throwIfAborted();
  try {
    return (await medium.put(blob, nothing, options)) === 'exists';
  } catch (error) {
    if (wanted && !options.signal.aborted) return false;
    throw error;
  }
}
