/** Copies the initial content of a cache mount out of a tree that an image or a stage made. */
import * as native from '@tsbuild/native';
import { TsbuildError } from '@tsbuild/core';
import { makeDirectoryTree } from '../rootfs/mkdir-all.js';
import { changeOwner } from '../rootfs/owner.js';

const { O_DIRECTORY, O_NOFOLLOW, O_PATH, O_RDONLY, RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } =
  native.constants;

/**
 * Copies everything below `path` of the tree into an existing empty directory, with the directory's own mode and
 * owner.
 * @throws TsbuildError TSB_EXEC_MOUNT where the path is no directory of the tree
 */
export async function seedDirectory(
  treeFd: native.Fd,
  path: string,
  destination: string,
  signal: AbortSignal,
): Promise<void> {
  const source = openSource(treeFd, path);
  try {
    const target = native.openat2(native.AT_FDCWD, destination, O_RDONLY | O_DIRECTORY, 0, 0);
    try {
      await copyInto(source, target, signal);
    } finally {
      native.close(target);
    }
  } finally {
    native.close(source);
  }
}

function openSource(treeFd: native.Fd, path: string): native.Fd {
  try {
    const flags = O_RDONLY | O_DIRECTORY;
    return native.openat2(
      treeFd,
      path === '' ? '/' : path,
      flags,
      0,
      RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    );
  } catch (cause) {
    throw new TsbuildError('TSB_EXEC_MOUNT', `source ${path} of a cache mount is no directory`, { cause });
  }
}

async function copyInto(source: native.Fd, target: native.Fd, signal: AbortSignal): Promise<void> {
  const token = new native.CancelToken();
  const cancel = () => token.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const entries = await native.walk(source, '', { xattrs: true }, token);
    const isDirectory = (mode: number) => (mode & native.constants.S_IFMT) === native.constants.S_IFDIR;
    const directories = entries.filter((entry) => isDirectory(entry.mode));
    makeDirectoryTree(
      target,
      directories.map(({ path }) => path),
    );
    const items = entries
      .filter((entry) => !isDirectory(entry.mode))
      .map((entry) => ({ source: entry.path, destination: entry.path }));
    await native.copyFiles(source, target, items, { xattrs: true }, token);
    // Deepest first: times of a directory change when things are put into it.
    for (const directory of directories.reverse()) {
      const fd = native.openat2(
        target,
        directory.path,
        O_PATH | O_DIRECTORY | O_NOFOLLOW,
        0,
        RESOLVE_BENEATH,
      );
      copyAttributes(directory, fd);
      native.close(fd);
    }
    copyAttributes(native.stat(source, ''), target);
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

function copyAttributes(from: native.Stat, fd: native.Fd): void {
  changeOwner(fd, '', from.uid, from.gid);
  native.chmodat(fd, '', from.mode & 0o7777);
  native.utimesat(fd, '', from.atimeNs, from.mtimeNs);
}
