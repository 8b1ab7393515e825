/** Metadata of a directory from one tree to another. */
import * as native from '@tsbuild/native';
import type { Fd, Stat } from '@tsbuild/native';

/** Attributes by which overlayfs keeps its own books; they are no part of a tree. */
export function isOverlayAttribute(name: string): boolean {
  return name.startsWith('trusted.overlay.') || name.startsWith('user.overlay.');
}

/** Sets an attribute where the file system and our rights allow it. Returns whether it was set. */
export function trySetXattr(fd: Fd, name: string, value: Buffer): boolean {
  try {
    native.setXattr(fd, '', name, value);
    return true;
  } catch (error) {
    if (['EPERM', 'EACCES', 'ENOTSUP'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

/** Owner, mode, attributes and times of `from`, as `stat` tells, for the directory `to`. Times last. */
export function copyDirMetadata(from: Fd, stat: Stat, to: Fd): void {
  native.chownat(to, '', stat.uid, stat.gid);
  native.chmodat(to, '', stat.mode & 0o7777);
  for (const { name, value } of native.listXattrs(from, '')) {
    if (!isOverlayAttribute(name)) trySetXattr(to, name, value);
  }
  native.utimesat(to, '', stat.atimeNs, stat.mtimeNs);
}
