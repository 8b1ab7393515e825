/** Writes a root file system into a folder of the user's (--output type=local). */
import * as native from '@tsbuild/native';
import type { Fd, WalkEntry } from '@tsbuild/native';
import type { SnapshotId } from '@tsbuild/solver';
import { makeFolders } from '../rootfs/make-folders.js';
import { hasCode, isDirectory, openDirectory } from '../rootfs/open.js';
import { baseOf, bytesOf, parentOf, type RawPath, rawPath } from '../rootfs/raw-path.js';
import type { Snapshotter } from '../snapshot/index.js';

const { O_PATH, O_DIRECTORY } = native.constants;

/** Everything is owned by the caller, as buildx has it; what stands in the way is replaced, the rest of the folder stays. */
const caller = { uid: 0, gid: 0 };

/** @param fileSeconds time of all files, seconds since the epoch; else they keep theirs */
export async function exportTree(
  snapshotter: Snapshotter,
  chain: readonly SnapshotId[],
  destination: string,
  signal: AbortSignal,
  fileSeconds?: number,
): Promise<void> {
  makeFolders(destination);
  const target = native.openat2(native.AT_FDCWD, destination, O_PATH | O_DIRECTORY, 0, 0);
  const cancel = new native.CancelToken();
  const stop = () => cancel.cancel();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const view = await snapshotter.view(chain, signal);
    try {
      const entries = await native.walk(view.fd, '', { xattrs: false }, cancel);
      const time = fileSeconds === undefined ? undefined : BigInt(fileSeconds) * 1_000_000_000n;
      await copyEntries(view.fd, target, entries, time, cancel);
    } finally {
      await view.close();
    }
  } finally {
    signal.removeEventListener('abort', stop);
    native.close(target);
  }
}

async function copyEntries(
  source: Fd,
  target: Fd,
  entries: readonly WalkEntry[],
  time: bigint | undefined,
  cancel: native.CancelToken,
): Promise<void> {
  const directories = entries.filter(isDirectory);
  const files = entries.filter((entry) => !isDirectory(entry));
  for (const entry of directories)
    await inParent(target, entry.path, (parent, name) => makeDirectory(parent, name));
  for (const entry of files)
    await inParent(target, entry.path, (parent, name) => native.removeTree(parent, name));
  const items = files.map(({ path }) => ({ source: path, destination: path }));
  await native.copyFiles(source, target, items, { ...caller, xattrs: false }, cancel);
  if (time !== undefined) {
    for (const entry of files)
      await inParent(target, entry.path, (parent, name) => native.utimesat(parent, name, time, time));
  }
  for (const entry of directories.toReversed()) {
    await inParent(target, entry.path, (parent, name) => {
      native.chownat(parent, name, caller.uid, caller.gid);
      native.chmodat(parent, name, entry.mode & 0o7777);
      native.utimesat(parent, name, time ?? entry.mtimeNs, time ?? entry.mtimeNs);
    });
  }
}

async function inParent(
  root: Fd,
  path: Buffer,
  use: (parent: Fd, name: Buffer) => Promise<void> | void,
): Promise<void> {
  const raw: RawPath = rawPath(path);
  const parent = openDirectory(root, parentOf(raw));
  try {
    await use(parent, bytesOf(baseOf(raw)));
  } finally {
    native.close(parent);
  }
}

async function makeDirectory(parent: Fd, name: Buffer): Promise<void> {
  try {
    native.mkdirat(parent, name, 0o700);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    if (isDirectory(native.stat(parent, name))) return;
    await native.removeTree(parent, name);
    native.mkdirat(parent, name, 0o700);
  }
}
