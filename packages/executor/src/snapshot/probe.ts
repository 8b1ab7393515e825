/** Chooses the snapshotter by trying in the store's own folder what an overlay has to be able to do. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { storeFull, TsbuildError } from '@tsbuild/core';
import * as native from '@tsbuild/native';
import { isWhiteoutDevice, opaqueAttribute } from './diff-dir.js';
import { openCopySnapshotter } from './copy.js';
import { openOverlaySnapshotter } from './overlay.js';
import type { Snapshotter } from './snapshotter.js';

export interface SnapshotterOptions {
  /** Folder of the store. */
  root: string;
  /** Folder for work in progress of this process, on the same file system as the store. */
  tmp: string;
  /** We run in a user namespace: user.overlay.* attributes. */
  userxattr: boolean;
  /** Note what published snapshots hold, for fsck; `sync` waits for it and has to be called. */
  manifests?: boolean;
  /** No probing and no way back. */
  kind?: 'overlay' | 'copy' | undefined;
  /** Told once why overlayfs is not used. */
  notice(message: string): void;
}

/**
 * Unless a kind is demanded, overlayfs is tried out when something is first to be mounted: a build that finds everything
 * in the cache mounts nothing.
 * @throws TsbuildError TSB_HOST_OVERLAY when overlayfs is demanded and does not work
 */
export function openSnapshotter(options: SnapshotterOptions): Snapshotter {
  const { root, tmp, userxattr, kind, notice, manifests = false } = options;
  const shelf = { root, tmp, userxattr, manifests };
  mkdirSync(tmp, { recursive: true, mode: 0o700 });
  const copy = openCopySnapshotter(shelf);
  if (kind === 'copy') return copy;
  const overlay = openOverlaySnapshotter(shelf);
  let chosen: Snapshotter | undefined;
  const choose = (): Snapshotter => {
    if (chosen !== undefined) return chosen;
    const fault = probeOverlay(tmp, userxattr);
    if (fault !== undefined && kind === 'overlay') {
      throw new TsbuildError('TSB_HOST_OVERLAY', `overlayfs cannot be used in ${root}: ${fault}`, {
        hint: 'Put the store on a file system like ext4, xfs or btrfs with --root, or use --snapshotter copy.',
      });
    }
    if (fault !== undefined) {
      notice(
        `overlayfs cannot be used in ${root} (${fault}); files are copied instead, which is slower. ` +
          'A store on ext4, xfs or btrfs (--root) avoids this.',
      );
    }
    chosen = fault === undefined ? overlay : copy;
    return chosen;
  };
  if (kind === 'overlay') return choose();
  return {
    get kind() {
      return choose().kind;
    },
    prepare: async (parents, signal) => await choose().prepare(parents, signal),
    view: async (parents, signal) => await choose().view(parents, signal),
    draft: async () => await choose().draft(),
    openDiff: (id) => choose().openDiff(id),
    // Only snapshots that were made by copying make it matter which it is.
    exists: (id) => overlay.exists(id) || (copy.exists(id) && choose().exists(id)),
    remove: (id) => overlay.remove(id),
    list: () => overlay.list(),
    usage: (id) => overlay.usage(id),
    async sync() {
      await chosen?.sync();
    },
  };
}

/** What keeps overlayfs from working with layers in a folder; undefined when nothing does. */
export function probeOverlay(folder: string, userxattr: boolean): string | undefined {
  const dir = mkdtempSync(`${folder}/probe-`);
  try {
    return tryOverlay(dir, userxattr);
  } catch (error) {
    // A full disk says nothing of overlays.
    const full = storeFull(error, folder);
    if (full) throw full;
    return (error as Error).message;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function tryOverlay(dir: string, userxattr: boolean): string | undefined {
  for (const name of ['low', 'low/folder', 'up', 'work', 'empty']) mkdirSync(`${dir}/${name}`);
  writeFileSync(`${dir}/low/file`, 'low');
  writeFileSync(`${dir}/low/folder/inner`, 'low');
  const lower = [`${dir}/low`];
  const writable = native.mountOverlay({ lower, upper: `${dir}/up`, work: `${dir}/work`, userxattr });
  try {
    const folder = native.openat2(writable, 'folder', native.constants.O_PATH, 0, 0);
    native.unlinkat(folder, 'inner');
    native.close(folder);
    native.unlinkat(writable, 'folder', native.constants.AT_REMOVEDIR);
    native.unlinkat(writable, 'file');
    native.mkdirat(writable, 'folder', 0o755);
  } finally {
    native.close(writable);
  }
  const at = native.AT_FDCWD;
  if (!isWhiteoutDevice(native.stat(at, `${dir}/up/file`))) return 'whiteouts are not character devices';
  const marks = native.listXattrs(at, `${dir}/up/folder`);
  const wanted = opaqueAttribute(userxattr);
  if (!marks.some(({ name }) => name === wanted)) return `the attribute ${wanted} is not kept`;
  const view = native.mountOverlay({
    lower: [`${dir}/up`, ...lower, `${dir}/empty`],
    userxattr,
    readonly: true,
  });
  try {
    const names = native.readdir(view).map(({ name }) => name.toString());
    if (names.join() !== 'folder') return 'whiteouts are not honoured in lower layers';
    const folder = native.openat2(view, 'folder', native.constants.O_PATH, 0, 0);
    const inner = native.readdir(folder);
    native.close(folder);
    return inner.length === 0 ? undefined : 'opaque directories are not honoured in lower layers';
  } finally {
    native.close(view);
  }
}
