/** Opens the store: the content and the names of images in oci/, the index of step results in cache/. */
import { utimes } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Digest, hexOf } from '@tsbuild/core';
import { type ContentStore, openContentStore, openTagStore, type TagStore } from '@tsbuild/registry';
import { createStepCache, type StepCache } from './cache-store.js';
import { defaultRoot, prepareStore } from './layout.js';
import { acquireLock } from './lock.js';

export interface Store {
  /** Absolute path. */
  root: string;
  content: ContentStore;
  tags: TagStore;
  steps: StepCache;
  /** Told about damage that is worked around. */
  warn(message: string): void;
  /**
   * Whether a blob of that size is there. What is used counts as new for prune, so it stays for the rest of every
   * build that is running now.
   */
  useBlob(digest: Digest, size: number): Promise<boolean>;
}

/** Taken shared for the moment in which a build finds something and holds it, exclusively by prune while it removes. */
export const gcLock = (root: string): string => join(root, 'locks/gc.lock');

/** @throws TsbuildError TSB_STORE_* */
export async function openStore(options: {
  root?: string | undefined;
  warn(message: string): void;
}): Promise<Store> {
  const root = resolve(options.root ?? defaultRoot());
  prepareStore(root);
  const gated = async <T>(work: () => Promise<T>): Promise<T> => {
    const held = await acquireLock(gcLock(root), 'shared');
    try {
      return await work();
    } finally {
      held.release();
    }
  };
  const content = await openContentStore(join(root, 'oci'), { gated });
  const tags = openTagStore(join(root, 'oci'), {
    async lock(name, work) {
      const held = await acquireLock(join(root, 'locks', `${name}.lock`), 'exclusive');
      try {
        return await work();
      } finally {
        held.release();
      }
    },
  });
  const path = (digest: Digest) => join(root, 'oci/blobs/sha256', hexOf(digest));
  return {
    root,
    content,
    tags,
    steps: createStepCache(root, options.warn),
    warn: options.warn,
    async useBlob(digest, size) {
      return await gated(async () => {
        if ((await content.has(digest)) !== size) return false;
        const now = new Date();
        await utimes(path(digest), now, now);
        return true;
      });
    },
  };
}
