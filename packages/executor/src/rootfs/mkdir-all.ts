/** Directories with their parents, made inside a root. */
import * as native from '@tsbuild/native';
import type { Fd } from '@tsbuild/native';
import { TsbuildError } from '@tsbuild/core';
import { isDirectory, openDirectory, statExact, withFd } from './open.js';
import { baseOf, bytesOf, joinRaw, parentOf, type RawPath, rawPath, textOf } from './raw-path.js';
import { changeOwner } from './owner.js';

export interface NewDirectory {
  /** Permission bits, whatever the umask. */
  mode: number;
  uid: number;
  gid: number;
  /** Nanoseconds since the epoch; now if unset. */
  mtimeNs?: bigint | undefined;
}

/**
 * Makes the directory at an exact path (see resolveInRoot) and its missing parents. Existing ones stay as they are.
 * @returns what was made, parents first
 * @throws TsbuildError TSB_EXEC_NOT_A_DIRECTORY where a component is something else
 */
export function mkdirAll(root: Fd, path: RawPath, attributes: NewDirectory): RawPath[] {
  const missing: RawPath[] = [];
  let at = path;
  for (; at !== ''; at = parentOf(at)) {
    const stat = statExact(root, at);
    if (stat !== undefined) {
      if (!isDirectory(stat)) {
        throw new TsbuildError('TSB_EXEC_NOT_A_DIRECTORY', `mkdir /${textOf(at)}: not a directory`, {
          hint: `/${textOf(at)} is a file in the image; choose another path or remove the file first.`,
        });
      }
      break;
    }
    missing.unshift(baseOf(at));
  }
  const created: RawPath[] = [];
  for (const name of missing) {
    withFd(openDirectory(root, at), (parent) => makeDirectory(parent, name, attributes));
    at = joinRaw(at, name);
    created.push(at);
  }
  // A child's creation changes its parent's time, so times come last.
  if (attributes.mtimeNs !== undefined) {
    for (const directory of created) {
      const { mtimeNs } = attributes;
      withFd(openDirectory(root, directory), (fd) => native.utimesat(fd, '', mtimeNs, mtimeNs));
    }
  }
  return created;
}

/** New directories by exact paths, parents before children, below an open folder. To be given their attributes later. */
export function makeDirectoryTree(root: Fd, paths: readonly Buffer[]): void {
  for (const path of paths.map(rawPath)) {
    withFd(openDirectory(root, parentOf(path)), (parent) =>
      native.mkdirat(parent, bytesOf(baseOf(path)), 0o700),
    );
  }
}

/** One new directory below an open parent, with owner and exact mode. */
export function makeDirectory(parent: Fd, name: RawPath, attributes: NewDirectory): void {
  const bytes = bytesOf(name);
  native.mkdirat(parent, bytes, 0o700);
  changeOwner(parent, bytes, attributes.uid, attributes.gid);
  native.chmodat(parent, bytes, attributes.mode);
}
