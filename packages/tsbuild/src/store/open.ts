/** Opens the store: the content and the names of images in oci/, the index of step results in cache/. */
import { utimes } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { type Descriptor, type Digest, hexOf, TsbuildError } from '@tsbuild/core';
import { type ContentStore, openContentStore, openTagStore, type TagStore } from '@tsbuild/registry';
import { AT_FDCWD, close, constants, openat2, removeTree } from '@tsbuild/native';
import { createStepCache, type StepCache } from './cache-store.js';
import { checkVersion, defaultRoot, prepareStore } from './layout.js';
import { acquireLock } from './lock.js';

const { O_RDONLY, O_DIRECTORY } = constants;

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
  /** Removes a file or a tree of the store; `path` is relative to it. Missing is fine. */
  removeTree(path: string): Promise<void>;
  /** Reads a blob; one that is damaged is removed with a warning. @returns whether it is gone */
  discardDamaged(blob: Pick<Descriptor, 'digest' | 'size'>, signal: AbortSignal): Promise<boolean>;
}

/** Taken shared for the moment in which a build finds something and holds it, exclusively by prune while it removes. */
export const gcLock = (root: string): string => join(root, 'locks/gc.lock');

/** @throws TsbuildError TSB_STORE_* */
export async function openStore(options: {
  root?: string | undefined;
  warn(message: string): void;
  /** False: damage is not mended on the way, since it is looked for. */
  mend?: boolean;
}): Promise<Store> {
  const root = resolve(options.root ?? defaultRoot());
  if (options.mend !== false || !existsSync(join(root, 'oci'))) prepareStore(root);
  else checkVersion(root);
  const gated = async <T>(work: () => Promise<T>): Promise<T> => {
    const held = await acquireLock(gcLock(root), 'shared');
    try {
      return await work();
    } finally {
      held.release();
    }
  };
  const content = await openContentStore(join(root, 'oci'), {
    gated,
    damaged: (message) =>
      options.warn(`${message}; it is removed, and made or fetched again when it is needed`),
  });
  const tags = openTagStore(join(root, 'oci'), {
    async lock(name, work) {
      const held = await acquireLock(join(root, 'locks', `${name}.lock`), 'exclusive');
      try {
        return await work();
      } finally {
        held.release();
      }
    },
    warn: options.warn,
  });
  const path = (digest: Digest) => join(root, 'oci/blobs/sha256', hexOf(digest));
  return {
    root,
    content,
    tags,
    steps: createStepCache(root, options.warn),
    warn: options.warn,
    async removeTree(relative) {
      const folder = openat2(AT_FDCWD, dirname(join(root, relative)), O_RDONLY | O_DIRECTORY, 0, 0);
      try {
        await removeTree(folder, basename(relative));
      } finally {
        close(folder);
      }
    },
    async discardDamaged(blob, signal) {
      try {
        for await (const _ of content.open(blob)) signal.throwIfAborted();
        return false;
      } catch (error) {
        if (!TsbuildError.is(error)) throw error;
        return true;
      }
    },
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
