/**
 * Temporary folders in the store, not in /tmp: contexts and archives can be larger than a tmpfs, and what a killed
 * process leaves there is collected by the next prune.
 */
import { resolve } from 'node:path';
import { acquireLease, type Lease } from '@tsbuild/executor';
import { defaultRoot, prepareStore } from './layout.js';

export interface TemporaryFolder {
  /** Absolute path of the folder, which is made when it is first asked for. @throws TsbuildError TSB_STORE_* */
  path(): Promise<string>;
  /** Removes it with all it holds. */
  close(): Promise<void>;
}

/** @param root the store's folder; default as in openStore */
export function temporaryFolder(root: string | undefined): TemporaryFolder {
  let lease: Promise<Lease> | undefined;
  const open = async () => {
    const store = resolve(root ?? defaultRoot());
    prepareStore(store);
    return await acquireLease(store);
  };
  return {
    async path() {
      lease ??= open();
      return (await lease).tmp;
    },
    async close() {
      await lease?.then(
        (held) => held.release(),
        () => {},
      );
    },
  };
}
