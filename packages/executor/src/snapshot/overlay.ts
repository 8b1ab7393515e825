/** Snapshots by overlayfs: the merged view is a detached mount, its upper directory is the diff. */
import { mkdirSync } from 'node:fs';
import * as native from '@tsbuild/native';
import type { Fd } from '@tsbuild/native';
import type { SnapshotId } from '@tsbuild/solver';
import { copyDirMetadata } from './metadata.js';
import { Shelf } from './shelf.js';
import type { ShelfOptions } from './shelf.js';
import type { ActiveSnapshot, Snapshotter } from './snapshotter.js';

const { O_PATH, O_DIRECTORY } = native.constants;

export function openOverlaySnapshotter(options: Omit<ShelfOptions, 'acceptSideFile'>): Snapshotter {
  const shelf = new Shelf({ ...options, acceptSideFile: false });
  const { userxattr } = options;
  const empty = `${options.tmp}/empty`;
  mkdirSync(empty, { recursive: true, mode: 0o755 });
  native.chmodat(native.AT_FDCWD, empty, 0o755);

  /** Diffs top first, as a mount wants them. The kernel takes no overlay without a lower layer. */
  function lowerOf(parents: readonly SnapshotId[], least: number): string[] {
    // The kernel refuses a layer that comes twice; the upper one shows all that the lower one could.
    const lower = [...new Set(shelf.diffsOf(parents).reverse())];
    // A lone lower directory would be shown as it is, with its whiteouts.
    return lower.length < least ? [...lower, empty] : lower;
  }

  return {
    kind: 'overlay',
    async prepare(parents, signal): Promise<ActiveSnapshot> {
      signal?.throwIfAborted();
      const lower = lowerOf(parents, 1);
      const workshop = shelf.workshop();
      const work = `${workshop.folder}/work`;
      mkdirSync(work);
      if (parents.length > 0) copyRootMetadata(lower[0] as string, workshop.diff);
      let mounted: Fd | undefined;
      let over = false;

      function unmount(): void {
        if (mounted !== undefined) native.close(mounted);
        mounted = undefined;
      }
      function end(): void {
        if (over) throw new Error('the snapshot was committed or discarded before');
        over = true;
        unmount();
      }

      return {
        root() {
          if (over) throw new Error('the snapshot was committed or discarded before');
          mounted ??= native.mountOverlay({ lower, upper: workshop.diff, work, userxattr });
          return mounted;
        },
        sandboxRootfs() {
          unmount();
          return { type: 'overlay', lower, upper: workshop.diff, work, userxattr };
        },
        async commit(id) {
          end();
          await native.removeTree(native.AT_FDCWD, work);
          return await shelf.publish(workshop, false, id);
        },
        async discard() {
          end();
          await shelf.drop(workshop);
        },
      };
    },
    async view(parents, signal) {
      signal?.throwIfAborted();
      const lower = lowerOf(parents, parents.length === 0 ? 1 : 2);
      const fd = native.mountOverlay({ lower, userxattr, readonly: true });
      return { fd, close: async () => native.close(fd) };
    },
    draft: async () => shelf.draft(),
    openDiff: (id) => shelf.openDiff(id),
    exists: (id) => shelf.exists(id),
    remove: (id) => shelf.remove(id),
    list: () => shelf.list(),
    usage: (id) => shelf.usage(id),
    sync: () => shelf.sync(),
  };
}

/** The upper directory's root is the one that shows, so it has to be like the root below it. */
function copyRootMetadata(from: string, to: string): void {
  const source = native.openat2(native.AT_FDCWD, from, O_PATH | O_DIRECTORY, 0, 0);
  const target = native.openat2(native.AT_FDCWD, to, O_PATH | O_DIRECTORY, 0, 0);
  try {
    copyDirMetadata(source, native.stat(source, ''), target);
  } finally {
    native.close(source);
    native.close(target);
  }
}
