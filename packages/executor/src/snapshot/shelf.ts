/** The folder of snapshots: publishing, finding and removing, the same for every driver. */
import { randomBytes } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { TsbuildError } from '@tsbuild/core';
import type { SnapshotId } from '@tsbuild/solver';
import * as native from '@tsbuild/native';
import { MarkWriter, openDiffRoot } from './diff-dir.js';
import type { DiffRoot } from './diff-dir.js';
import { writeManifest } from './manifest.js';
import { bootId, markSynced, readMeta, syncedMark, writeMeta } from './meta.js';
import type { DiffDraft, SnapshotInfo } from './snapshotter.js';

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = native.constants;

export interface ShelfOptions {
  /** Folder of the store. */
  root: string;
  /** Folder for work in progress, on the same file system; what is left in it after its owner's end is garbage. */
  tmp: string;
  /** In a user namespace: user.overlay.* attributes. */
  userxattr: boolean;
  /** Diffs with a whiteouts.json can be used. */
  acceptSideFile: boolean;
  /** Note what published snapshots hold, for fsck; `sync` waits for it and has to be called. */
  manifests?: boolean;
}

/** A folder of work in progress: `fs` holds the diff. */
export interface Workshop {
  readonly folder: string;
  readonly diff: string;
}

const idPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;

export function randomSnapshotId(): SnapshotId {
  return `s-${randomBytes(16).toString('hex')}` as SnapshotId;
}

export class Shelf {
  readonly #folder: string;
  /** This process published something that is not synced. */
  #published = false;
  /** Settles when all snapshots that were published have their manifests. */
  #manifests: Promise<void> = Promise.resolve();

  constructor(private readonly options: ShelfOptions) {
    this.#folder = `${options.root}/snapshots`;
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    mkdirSync(options.tmp, { recursive: true, mode: 0o700 });
  }

  /** @throws TsbuildError for an id that is no plain file name: it came from outside */
  pathOf(id: SnapshotId): string {
    if (idPattern.test(id)) return `${this.#folder}/${id}`;
    throw new TsbuildError('TSB_STORE_BAD_SNAPSHOT_ID', `${JSON.stringify(id)} is not the id of a snapshot`);
  }

  exists(id: SnapshotId): boolean {
    const folder = this.pathOf(id);
    const meta = readMeta(folder);
    if (meta === undefined || meta.userxattr !== this.options.userxattr) return false;
    if (meta.sideFile && !this.options.acceptSideFile) return false;
    if (!lstatSync(`${folder}/fs`, { throwIfNoEntry: false })?.isDirectory()) return false;
    return meta.bootId === bootId() || existsSync(`${folder}/${syncedMark}`);
  }

  /** Folders of the snapshots' diffs. @throws TsbuildError when one is missing */
  diffsOf(ids: readonly SnapshotId[]): string[] {
    return ids.map((id) => {
      if (this.exists(id)) return `${this.pathOf(id)}/fs`;
      throw new TsbuildError('TSB_STORE_SNAPSHOT_MISSING', `snapshot ${id} is not in the store`, {
        hint: 'Run the build again: what is missing is made anew.',
      });
    });
  }

  openDiff(id: SnapshotId): DiffRoot {
    this.diffsOf([id]);
    return openDiffRoot(this.pathOf(id));
  }

  workshop(): Workshop {
    const folder = `${this.options.tmp}/${randomBytes(8).toString('hex')}`;
    mkdirSync(folder, { mode: 0o700 });
    mkdirSync(`${folder}/fs`);
    // The umask must not decide what mode the root of an image has.
    native.chmodat(native.AT_FDCWD, `${folder}/fs`, 0o755);
    return { folder, diff: `${folder}/fs` };
  }

  /** Makes the diff of a workshop a snapshot, by one rename; the workshop is gone afterwards. */
  async publish(
    workshop: Workshop,
    sideFile: boolean,
    id: SnapshotId = randomSnapshotId(),
  ): Promise<SnapshotId> {
    writeMeta(workshop.folder, { userxattr: this.options.userxattr, sideFile });
    for (;;) {
      try {
        renameSync(workshop.folder, this.pathOf(id));
        this.#published = true;
        // Beside the work that goes on: nothing waits for it but the end.
        if (this.options.manifests)
          this.#manifests = this.#manifests.then(() => writeManifest(this.pathOf(id)));
        return id;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
      }
      if (this.exists(id)) {
        await this.drop(workshop);
        return id;
      }
      // A remnant that counts no longer (another format, a boot that ended badly) makes room.
      await this.remove(id);
    }
  }

  async drop(workshop: Workshop): Promise<void> {
    await native.removeTree(native.AT_FDCWD, workshop.folder);
  }

  draft(sideFileOnly = false): DiffDraft {
    const workshop = this.workshop();
    const marks = new MarkWriter(this.options.userxattr, sideFileOnly);
    const fd = native.openat2(native.AT_FDCWD, workshop.diff, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, 0);
    return {
      fd,
      whiteout: (dirfd, directory, name) => marks.whiteout(dirfd, directory, name),
      opaque: (dirfd, directory) => marks.opaque(dirfd, directory),
      commit: async (id) => {
        native.close(fd);
        return await this.publish(workshop, marks.finish(workshop.folder), id);
      },
      discard: async () => {
        native.close(fd);
        await this.drop(workshop);
      },
    };
  }

  async remove(id: SnapshotId): Promise<void> {
    const grave = `${this.options.tmp}/${randomBytes(8).toString('hex')}`;
    try {
      renameSync(this.pathOf(id), grave);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    await native.removeTree(native.AT_FDCWD, grave);
  }

  #ids(): SnapshotId[] {
    return (readdirSync(this.#folder) as SnapshotId[]).filter((name) => idPattern.test(name)).sort();
  }

  list(): SnapshotInfo[] {
    return this.#ids().flatMap((id) => {
      const meta = readMeta(this.pathOf(id));
      return meta === undefined ? [] : [{ id, createdAt: meta.createdAt }];
    });
  }

  async usage(id: SnapshotId): Promise<{ bytes: number; files: number }> {
    const fd = native.openat2(native.AT_FDCWD, this.pathOf(id), O_RDONLY | O_DIRECTORY, 0, 0);
    try {
      const seen = new Set<bigint>();
      let bytes = 0;
      const entries = await native.walk(fd, '', {});
      for (const entry of entries) {
        if (seen.has(entry.ino)) continue;
        seen.add(entry.ino);
        bytes += entry.blocks * 512;
      }
      return { bytes, files: entries.length };
    } finally {
      native.close(fd);
    }
  }

  async sync(): Promise<void> {
    await this.#manifests;
    // What other processes left unsynced waits for one that has something to sync itself.
    if (!this.#published) return;
    this.#published = false;
    const unsynced = this.#ids()
      .map((id) => this.pathOf(id))
      .filter((folder) => readMeta(folder)?.bootId === bootId() && !existsSync(`${folder}/${syncedMark}`));
    if (unsynced.length === 0) return;
    const fd = native.openat2(native.AT_FDCWD, this.#folder, O_RDONLY | O_DIRECTORY, 0, 0);
    try {
      await native.syncfs(fd);
      for (const folder of unsynced) markSynced(folder);
    } finally {
      native.close(fd);
    }
  }
}
