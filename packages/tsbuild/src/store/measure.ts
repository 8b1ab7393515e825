/** What things in the store take on the disk, as du(1) counts it: allocated blocks, a file with several names once. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { AT_FDCWD, close, constants, openat2, type Stat, stat, walk } from '@tsbuild/native';

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, S_IFMT, S_IFDIR, S_IFREG } = constants;

export interface Measured {
  /** Bytes on the disk. */
  bytes: number;
  /** Milliseconds since the epoch. */
  usedAt: number;
}

export interface FoundFile extends Measured {
  /** Relative to the store. */
  path: string;
  regular: boolean;
}

/** Folders whose entries are trees, each measured as one. */
const folders = ['snapshots', 'mounts', 'tmp'] as const;

export interface StoreMeasure {
  /** By folder, then by name. */
  trees: Record<(typeof folders)[number], Map<string, Measured>>;
  /** Everything else that is no directory. */
  files: FoundFile[];
  /** Bytes of the directories around all that. */
  directories: number;
}

/** Sizes of trees that were measured before: a published snapshot never changes. */
export type KnownSizes = ReadonlyMap<string, Measured>;

/** Measures the whole store. Reads only; what goes away meanwhile is passed over. */
export async function measureStore(root: string, snapshots?: KnownSizes): Promise<StoreMeasure> {
  const once = countOnce();
  const result: StoreMeasure = {
    trees: { snapshots: new Map(), mounts: new Map(), tmp: new Map() },
    files: [],
    directories: 0,
  };
  const fd = openat2(AT_FDCWD, root, O_RDONLY | O_DIRECTORY, 0, 0);
  try {
    result.directories += stat(fd, '').blocks * 512;
    const prune = folders.map((name) => Buffer.from(name));
    for (const entry of await walk(fd, '', { prune })) {
      if (isDirectory(entry)) result.directories += entry.blocks * 512;
      else {
        const regular = (entry.mode & S_IFMT) === S_IFREG;
        result.files.push({ path: entry.path.toString(), regular, ...once(entry) });
      }
    }
  } finally {
    close(fd);
  }
  for (const folder of folders) {
    for (const name of fs.readdirSync(join(root, folder))) {
      const known = folder === 'snapshots' ? snapshots?.get(name) : undefined;
      const measured = known ?? (await measureTree(join(root, folder, name), once));
      if (measured) result.trees[folder].set(name, measured);
    }
  }
  return result;
}

type Count = (entry: Stat) => Measured;

function countOnce(): Count {
  const seen = new Set<string>();
  return (entry) => {
    const usedAt = Number(entry.mtimeNs / 1_000_000n);
    if (entry.nlink > 1 && !isDirectory(entry)) {
      const inode = `${entry.devMajor}:${entry.devMinor}:${entry.ino}`;
      if (seen.has(inode)) return { bytes: 0, usedAt };
      seen.add(inode);
    }
    return { bytes: entry.blocks * 512, usedAt };
  };
}

function isDirectory(entry: Stat): boolean {
  return (entry.mode & S_IFMT) === S_IFDIR;
}

/** A directory with all below it, or one file; undefined where it has just gone. */
async function measureTree(path: string, once: Count): Promise<Measured | undefined> {
  try {
    const own = once(stat(AT_FDCWD, path));
    const fd = openTree(path);
    if (fd === undefined) return own;
    try {
      for (const entry of await walk(fd, '', {})) own.bytes += once(entry).bytes;
    } finally {
      close(fd);
    }
    return own;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function openTree(path: string): number | undefined {
  try {
    return openat2(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, 0);
  } catch (error) {
    if (['ENOTDIR', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
