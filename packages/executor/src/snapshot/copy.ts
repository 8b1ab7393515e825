/**
 * Snapshots without overlayfs: the merged view is a real tree, copied from the parents' diffs; what changed in it is
 * found at commit by inode and ctime, which no program can set.
 */
import { mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import * as native from '@tsbuild/native';
import type { Fd, WalkEntry } from '@tsbuild/native';
import type { SnapshotId } from '@tsbuild/solver';
import { isDirectory, MarkWriter } from './diff-dir.js';
import type { DiffRoot } from './diff-dir.js';
import { buildMergedTree, splitPath, withDirectory } from './merged-tree.js';
import { copyDirMetadata } from './metadata.js';
import { Shelf } from './shelf.js';
import type { ShelfOptions } from './shelf.js';
import type { ActiveSnapshot, Snapshotter } from './snapshotter.js';

const { O_RDONLY, O_DIRECTORY } = native.constants;

/**
 * Time stamps of files come from a clock that ticks at least every 10 ms (CONFIG_HZ=100); after this many
 * milliseconds a change gets another ctime for sure.
 */
const clockGrain = 25;

export function openCopySnapshotter(
  options: Omit<ShelfOptions, 'acceptSideFile'> & { sideFileOnly?: boolean },
): Snapshotter {
  const shelf = new Shelf({ ...options, acceptSideFile: true });

  async function withDiffs<T>(
    parents: readonly SnapshotId[],
    use: (diffs: DiffRoot[]) => Promise<T>,
  ): Promise<T> {
    const diffs: DiffRoot[] = [];
    try {
      for (const id of parents) diffs.push(shelf.openDiff(id));
      return await use(diffs);
    } finally {
      for (const diff of diffs) diff.close();
    }
  }

  /** Makes the merged tree in a folder and opens it. */
  async function build(
    parents: readonly SnapshotId[],
    folder: string,
    links: boolean,
    signal?: AbortSignal,
  ): Promise<Fd> {
    mkdirSync(folder);
    native.chmodat(native.AT_FDCWD, folder, 0o755);
    const fd = native.openat2(native.AT_FDCWD, folder, O_RDONLY | O_DIRECTORY, 0, 0);
    try {
      await withDiffs(parents, (diffs) => buildMergedTree(diffs, fd, { links, signal }));
      return fd;
    } catch (error) {
      native.close(fd);
      throw error;
    }
  }

  return {
    kind: 'copy',
    async prepare(parents, signal): Promise<ActiveSnapshot> {
      shelf.diffsOf(parents);
      const workshop = shelf.workshop();
      const tree = `${workshop.folder}/tree`;
      let fd: Fd;
      let before: Map<string, WalkEntry>;
      try {
        fd = await build(parents, tree, false, signal);
      } catch (error) {
        await shelf.drop(workshop);
        throw error;
      }
      try {
        before = byPath(await native.walk(fd, '', {}, signal));
        await sleep(clockGrain);
      } catch (error) {
        native.close(fd);
        await shelf.drop(workshop);
        throw error;
      }
      let over = false;
      function end(): void {
        if (over) throw new Error('the snapshot was committed or discarded before');
        over = true;
      }
      return {
        root() {
          if (over) throw new Error('the snapshot was committed or discarded before');
          return fd;
        },
        sandboxRootfs: () => ({ type: 'dir', dir: tree }),
        async commit(id) {
          end();
          try {
            const marks = new MarkWriter(options.userxattr, options.sideFileOnly);
            await collectChanges(before, fd, workshop.diff, marks);
            native.close(fd);
            await native.removeTree(native.AT_FDCWD, tree);
            return await shelf.publish(workshop, marks.finish(workshop.folder), id);
          } catch (error) {
            await shelf.drop(workshop);
            throw error;
          }
        },
        async discard() {
          end();
          native.close(fd);
          await shelf.drop(workshop);
        },
      };
    },
    async view(parents, signal) {
      const workshop = shelf.workshop();
      try {
        const fd = await build(parents, `${workshop.folder}/tree`, true, signal);
        return {
          fd,
          async close() {
            native.close(fd);
            await shelf.drop(workshop);
          },
        };
      } catch (error) {
        await shelf.drop(workshop);
        throw error;
      }
    },
    draft: async () => shelf.draft(options.sideFileOnly),
    openDiff: (id) => shelf.openDiff(id),
    exists: (id) => shelf.exists(id),
    remove: (id) => shelf.remove(id),
    list: () => shelf.list(),
    usage: (id) => shelf.usage(id),
    sync: () => shelf.sync(),
  };
}

function byPath(entries: readonly WalkEntry[]): Map<string, WalkEntry> {
  return new Map(entries.map((entry) => [entry.path.toString('latin1'), entry]));
}

function isSame(a: WalkEntry, b: WalkEntry): boolean {
  return a.ino === b.ino && a.ctimeNs === b.ctimeNs;
}

/** Moves what changed since `before` from the tree into a diff, and writes whiteouts for what is gone. */
async function collectChanges(
  before: ReadonlyMap<string, WalkEntry>,
  tree: Fd,
  diffFolder: string,
  marks: MarkWriter,
): Promise<void> {
  const after = byPath(await native.walk(tree, '', {}));
  const wanted = new Set<string>();
  const want = (path: string): void => {
    for (let at = path; at !== '' && !wanted.has(at); [at] = splitPath(at)) wanted.add(at);
  };
  for (const [path, entry] of after) {
    const old = before.get(path);
    if (old === undefined || !isSame(old, entry)) want(path);
  }
  const gone: string[] = [];
  for (const path of before.keys()) {
    if (after.has(path)) continue;
    const [directory] = splitPath(path);
    const parent = after.get(directory);
    // Below something that is gone or no directory any more, there is nothing left to hide.
    if (directory !== '' && (parent === undefined || !isDirectory(parent))) continue;
    gone.push(path);
    want(directory);
  }
  const diff = native.openat2(native.AT_FDCWD, diffFolder, O_RDONLY | O_DIRECTORY, 0, 0);
  try {
    const rootStat = native.stat(tree, '');
    // The walk's order has each directory before its content.
    const changed = [...after].filter(([path]) => wanted.has(path));
    for (const [path, entry] of changed) place(tree, diff, path, isDirectory(entry));
    for (const path of gone) {
      const [directory, name] = splitPath(path);
      withDirectory(diff, directory, (fd) =>
        marks.whiteout(fd, Buffer.from(directory, 'latin1'), Buffer.from(name, 'latin1')),
      );
    }
    for (const [path, entry] of changed.reverse()) {
      if (!isDirectory(entry)) continue;
      withDirectory(tree, path, (from) =>
        withDirectory(diff, path, (to) => copyDirMetadata(from, entry, to)),
      );
    }
    copyDirMetadata(tree, rootStat, diff);
  } finally {
    native.close(diff);
  }
}

function place(tree: Fd, diff: Fd, path: string, directory: boolean): void {
  const [parent, name] = splitPath(path);
  const bytes = Buffer.from(name, 'latin1');
  withDirectory(diff, parent, (to) => {
    if (directory) native.mkdirat(to, bytes, 0o700);
    else withDirectory(tree, parent, (from) => native.renameat2(from, bytes, to, bytes));
  });
}
