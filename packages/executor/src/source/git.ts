/**
 * Trees of git repositories, for ADD and for contexts: fetched by the git command into a folder of our own, taken over into
 * a snapshot by descriptors. What the repository holds is hostile: hooks and filters of the user's configuration are not
 * read, and the subdirectory is resolved inside the checkout.
 */
import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, TsbuildError } from '@tsbuild/core';
import * as native from '@tsbuild/native';
import type { GitOp, Ref } from '@tsbuild/solver';
import { FieldHash } from '../content/encode.js';
import type { Lease } from '../lease/lease.js';
import { makeDirectoryTree } from '../rootfs/mkdir-all.js';
import { isDirectory, openDirectory, openInRoot, withFd } from '../rootfs/open.js';
import { type RawPath, rawPath } from '../rootfs/raw-path.js';
import { randomSnapshotId, type Snapshotter } from '../snapshot/index.js';
import { checkOutGit } from './git-checkout.js';
import type { GitAccess } from './git-command.js';

export interface GitSource {
  lease: Lease;
  snapshotter: Snapshotter;
  access: GitAccess;
}

/**
 * The key is that of the commit, the subdirectory and the flags: the same commit is the same tree.
 * @throws TsbuildError TSB_RESOLVE_GIT, TSB_INTEGRITY_CHECKSUM, TSB_HOST_GIT_MISSING
 */
export async function fetchGit(
  op: GitOp,
  { lease, snapshotter, access }: GitSource,
  signal: AbortSignal,
): Promise<{ key: Digest; ref: Ref }> {
  const snapshot = randomSnapshotId();
  const checkout = join(lease.tmp, `git-${snapshot}`);
  mkdirSync(checkout, { recursive: true, mode: 0o700 });
  try {
    const commit = await checkOutGit(op, checkout, access, signal);
    await lease.use([snapshot], () => undefined);
    const draft = await snapshotter.draft();
    try {
      await takeOver(op, checkout, draft.fd, signal);
      await draft.commit(snapshot);
    } catch (error) {
      await draft.discard();
      throw error;
    }
    return { key: keyOf(op, commit), ref: { layers: [{ snapshot }] } };
  } finally {
    await rm(checkout, { recursive: true, force: true });
  }
}

function keyOf(op: GitOp, commit: string): Digest {
  return new FieldHash()
    .text('git')
    .text(commit)
    .text(op.subdir ?? '')
    .text(op.keepGitDir ? (op.ref ?? 'HEAD') : '')
    .number(op.submodules ? 1 : 0)
    .digest();
}

/** Copies the subdirectory's entries into the draft: owner root, the attributes of the checkout, no .git unless wanted. */
async function takeOver(op: GitOp, checkout: string, target: native.Fd, signal: AbortSignal): Promise<void> {
  const { O_PATH, O_DIRECTORY } = native.constants;
  const cancel = new native.CancelToken();
  const stop = () => cancel.cancel();
  signal.addEventListener('abort', stop, { once: true });
  const root = native.openat2(native.AT_FDCWD, checkout, O_PATH | O_DIRECTORY, 0, 0);
  try {
    await withFd(openSubdirectory(op, root), async (from) => {
      const entries = await native.walk(from, '', { xattrs: false }, cancel);
      const wanted = entries.filter(({ path }) => op.keepGitDir || !isGitDirectory(rawPath(path)));
      const directories = wanted.filter(isDirectory);
      makeDirectoryTree(
        target,
        directories.map(({ path }) => path),
      );
      const items = wanted
        .filter((entry) => !isDirectory(entry))
        .map(({ path }) => ({ source: path, destination: path }));
      await native.copyFiles(from, target, items, { uid: 0, gid: 0, xattrs: false }, cancel);
      for (const { path, mode, mtimeNs } of directories.toReversed()) {
        withFd(openDirectory(target, rawPath(path)), (fd) => {
          native.chmodat(fd, '', mode & 0o7777);
          native.utimesat(fd, '', mtimeNs, mtimeNs);
        });
      }
    });
  } finally {
    signal.removeEventListener('abort', stop);
    native.close(root);
  }
}

function openSubdirectory(op: GitOp, root: native.Fd): native.Fd {
  const { O_PATH, O_DIRECTORY } = native.constants;
  const path: RawPath = rawPath(op.subdir ?? '');
  try {
    return openInRoot(root, path, O_PATH | O_DIRECTORY);
  } catch (error) {
    throw new TsbuildError(
      'TSB_RESOLVE_GIT',
      `${JSON.stringify(op.subdir)} is no directory of the repository`,
      {
        hint: 'Check what follows the colon in the URL: #ref:subdirectory.',
        cause: error,
      },
    );
  }
}

/** .git of the repository and of its submodules. */
function isGitDirectory(path: RawPath): boolean {
  return path.split('/').includes('.git');
}
