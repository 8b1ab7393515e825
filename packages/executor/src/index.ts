/** Snapshots, contexts, file steps, the sandbox and layers. */
export type * from './api.js';
export { contentKey } from './content/memo.js';
export { checkSnapshot, isWholeIndexFile, type SnapshotCheck } from './check.js';
export { createExecutor } from './executor.js';
export { acquireLease, type Lease, type Leases, liveLeases } from './lease/lease.js';
export { compressionOf, decompressFile } from './source/decompress.js';
export { snapshotIdOf } from './source/unpack-layers.js';
export { checkOutGit } from './source/git-checkout.js';
export { type GitAccess, isSsh } from './source/git-command.js';
export { isArchive } from './source/sniff-tar.js';
export { makeFolders } from './rootfs/make-folders.js';
export { maxTextBytes, readTextInFolder } from './context/read-text.js';
export { unpackContext } from './context/unpack-context.js';
export { checkedTar } from './layer/checked-tar.js';
export {
  type CacheMount,
  type HeldCache,
  holdCache,
  readCache,
  type RestoreCache,
} from './run/cache-mounts.js';
export { changeOwner } from './rootfs/owner.js';
