/** The build's local contexts, opened when a step first reads them and closed with the executor. */
import { join, resolve } from 'node:path';
import { TsbuildError } from '@tsbuild/core';
import * as native from '@tsbuild/native';
import type { ContextSource } from '../api.js';
import { type HashHeaded, hashHeadedWithoutCache } from '../content/buildkit-digest.js';
import type { HashFiles } from '../content/digest.js';
import { hashWithoutCache } from '../content/digest.js';
import { StatCache } from '../content/stat-cache.js';
import type { Tree } from '../content/tree.js';
import { hasCode, isMissing } from '../rootfs/open.js';
import { compileIgnore } from './ignore.js';

export interface Contexts {
  /** @throws TsbuildError TSB_CONTEXT_NO_FOLDER */
  tree(name: string): Tree;
  /** Hashes a context's files, reading only those that changed. */
  hasher(name: string, signal: AbortSignal): Promise<HashFiles>;
  /** The same with a header before each file's data; keeps what it learns apart. */
  headedHasher(name: string, signal: AbortSignal): HashHeaded;
  /** Writes what the stat caches learnt and closes everything. */
  close(): Promise<void>;
}

export function openContexts(
  sources: ReadonlyMap<string, ContextSource>,
  options: { cacheFolder: string; noStatCache: boolean; warn(message: string): void },
): Contexts {
  const trees = new Map<string, Tree>();
  const caches = new Map<string, Promise<StatCache>>();

  const sourceOf = (name: string): ContextSource => {
    const source = sources.get(name);
    if (source === undefined) throw new Error(`no context is named ${JSON.stringify(name)}`);
    return source;
  };

  const tree = (name: string): Tree => {
    let opened = trees.get(name);
    if (opened === undefined) {
      const source = sourceOf(name);
      // The rules first: a bad pattern must not leave a descriptor behind.
      const ignore = source.ignore && compileIgnore(source.ignore);
      opened = { root: openFolder(source.path), ignore, crossMounts: true };
      trees.set(name, opened);
    }
    return opened;
  };

  const remembering = async (
    { name, purpose }: { name: string; purpose: '' | 'buildkit' },
    readAll: HashFiles,
  ): Promise<HashFiles> => {
    if (options.noStatCache) return readAll;
    const identity = `${purpose}:${name}`;
    let cache = caches.get(identity);
    if (cache === undefined) {
      const path = resolve(sourceOf(name).path);
      cache = StatCache.open(
        join(options.cacheFolder, 'stat'),
        purpose === '' ? path : `${path}\0${purpose}`,
        options.warn,
      );
      caches.set(identity, cache);
    }
    return (await cache).around(readAll);
  };

  return {
    tree,
    hasher: (name, signal) => remembering({ name, purpose: '' }, hashWithoutCache(tree(name), signal)),
    headedHasher(name, signal) {
      const hashHeaded = hashHeadedWithoutCache(tree(name), signal);
      return async (headerOf) => remembering({ name, purpose: 'buildkit' }, await hashHeaded(headerOf));
    },
    async close() {
      for (const { root } of trees.values()) native.close(root);
      trees.clear();
      for (const cache of caches.values()) await (await cache).save();
      caches.clear();
    },
  };
}

function openFolder(path: string): native.Fd {
  const { O_PATH, O_DIRECTORY } = native.constants;
  try {
    return native.openat2(native.AT_FDCWD, path, O_PATH | O_DIRECTORY, 0, 0);
  } catch (cause) {
    if (!isMissing(cause) && !hasCode(cause, 'EACCES')) throw cause;
    const fault = hasCode(cause, 'EACCES') ? 'cannot be read' : 'is no folder';
    throw new TsbuildError('TSB_CONTEXT_NO_FOLDER', `the build context ${path} ${fault}`, {
      cause,
      hint: 'Name an existing folder that you may read as the build context.',
    });
  }
}
