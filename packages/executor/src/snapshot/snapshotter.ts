/**
 * Snapshots: parents and a way to change them in, one layer out.
 *
 * Life of a snapshot: `prepare` gives a writable merged view of a chain of parents; what is written there becomes
 * a diff; `commit` publishes the diff as a snapshot under its id, `discard` drops it. A diff that is not made
 * through a merged view (an image's layer) is written into a `draft` and published the same way. A published
 * snapshot never changes; `view` shows chains of them, read-only. Nobody owns a snapshot: `remove` is for prune,
 * which has to make sure (by leases) that no build uses it.
 *
 * A snapshot is one layer: the difference to whatever it was made on, in the format of an overlayfs upper
 * directory (see diff-dir.ts). It names no parents and can be stacked on others.
 *
 * On disk: `<store>/snapshots/<id>/fs` and `meta.json` beside it. Work in progress is below the caller's temporary
 * folder on the same file system; publishing is one rename(2) of a finished folder. So a process that dies at any
 * moment leaves whole snapshots and garbage in temporary folders, nothing else. If two processes publish the same
 * id, the first one wins and the second one's work is dropped.
 *
 * Against a power failure: data is not synced when a snapshot is published, since that can cost more than the step
 * itself. The record carries the boot in which it was made, and it counts only in that boot unless it has been
 * marked as synced (`sync`). So after a crash of the machine a snapshot whose data may be lost is a miss.
 */
import type { SnapshotId } from '@tsbuild/solver';
import type { Fd } from '@tsbuild/native';
import type { DiffRoot } from './diff-dir.js';

export interface Snapshotter {
  readonly kind: 'overlay' | 'copy';

  /**
   * A writable merged view on top of parents (bottom first; none: an empty directory, 0755 root).
   * @throws TsbuildError TSB_STORE_SNAPSHOT_MISSING when a parent is not in the store
   */
  prepare(parents: readonly SnapshotId[], signal?: AbortSignal): Promise<ActiveSnapshot>;

  /** The merged view of parents, bottom first, to read only. */
  view(parents: readonly SnapshotId[], signal?: AbortSignal): Promise<SnapshotView>;

  /** An empty diff to be written in the format of diff-dir.ts. */
  draft(): Promise<DiffDraft>;

  /** The diff of one snapshot, to read. */
  openDiff(id: SnapshotId): DiffRoot;

  /** Whether the snapshot is whole, of this machine's format, and its data is sure to be there. */
  exists(id: SnapshotId): boolean;

  /** Removes a snapshot; missing is fine. At once invisible to `exists`, whatever happens after. */
  remove(id: SnapshotId): Promise<void>;

  /** All snapshots, sorted by id. */
  list(): SnapshotInfo[];

  /** Bytes on disk (allocated blocks; hard links counted once) and number of files of one snapshot. */
  usage(id: SnapshotId): Promise<{ bytes: number; files: number }>;

  /**
   * Where this process published snapshots: writes the store's file system to its device and marks all snapshots
   * published before as synced. Costs what there is to write: to be called once, when a build is over.
   */
  sync(): Promise<void>;
}

export interface SnapshotInfo {
  id: SnapshotId;
  /** Milliseconds since the epoch. */
  createdAt: number;
}

/** Work in progress. Either `commit` or `discard` has to be called; both end it, and a second call is an error. */
export interface ActiveSnapshot {
  /**
   * Root of the merged view, opened once and closed by commit, discard or sandboxRootfs. All changes made below it
   * belong to the snapshot.
   */
  root(): Fd;

  /** How a sandbox sets the same view up as its root. Closes `root` first: one diff has one mount at a time. */
  sandboxRootfs(): SandboxRootfs;

  /**
   * Publishes the changes and returns the id: the given one, else a random one. When the id exists already, the
   * changes are dropped.
   */
  commit(id?: SnapshotId): Promise<SnapshotId>;

  discard(): Promise<void>;
}

export type SandboxRootfs =
  | {
      type: 'overlay' /** Top first, two at least or with an upper one. */;
      lower: string[];
      upper: string;
      work: string;
      userxattr: boolean;
    }
  | { type: 'dir'; dir: string };

export interface SnapshotView {
  /** O_PATH-capable directory descriptor of the merged root. Valid until `close`. */
  readonly fd: Fd;
  close(): Promise<void>;
}

export interface DiffDraft {
  /** Directory descriptor of the diff's root. */
  readonly fd: Fd;
  /** Marks a name of the directory as removed: hides the lower layers' entry. The name must be free in the diff. */
  whiteout(dirfd: Fd, directory: Buffer, name: Buffer): void;
  /** Marks a directory of the diff: nothing of the lower layers shows through. */
  opaque(dirfd: Fd, directory: Buffer): void;
  commit(id?: SnapshotId): Promise<SnapshotId>;
  discard(): Promise<void>;
}
