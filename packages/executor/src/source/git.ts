/**
 * Trees of git repositories, for ADD and for contexts: fetched by the git command into a folder of our own, taken over into
 * a snapshot by descriptors. What the repository holds is hostile: hooks and filters of the user's configuration are not
 * read, and the subdirectory is resolved inside the checkout.
 */
import { execFile, type ExecFileException } from 'node:child_process';
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

export interface GitSource {
  lease: Lease;
  snapshotter: Snapshotter;
}

const minutes = 60_000;

/**
 * The key is that of the commit, the subdirectory and the flags: the same commit is the same tree.
 * @throws TsbuildError TSB_RESOLVE_GIT, TSB_INTEGRITY_CHECKSUM, TSB_HOST_GIT_MISSING
 */
export async function fetchGit(
  op: GitOp,
  { lease, snapshotter }: GitSource,
  signal: AbortSignal,
): Promise<{ key: Digest; ref: Ref }> {
  const snapshot = randomSnapshotId();
  const checkout = join(lease.tmp, `git-${snapshot}`);
  mkdirSync(checkout, { recursive: true, mode: 0o700 });
  try {
    const commit = await checkOutGit(op, checkout, signal);
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

/** Fetches the one commit with its tree and checks it out. @returns its id */
export async function checkOutGit(op: GitOp, folder: string, signal: AbortSignal): Promise<string> {
  const git = (...args: string[]) => runGit(op, folder, args, signal);
  await git('init', '--quiet');
  await git('remote', 'add', 'origin', op.remote);
  const ref = op.ref ?? 'HEAD';
  try {
    await git('fetch', '--quiet', '--depth', '1', '--no-tags', 'origin', '--', ref);
  } catch (error) {
    // Servers may refuse single commits: then all branches and tags have to come to find it.
    if (!/^[0-9a-f]{7,64}$/.test(ref) || signal.aborted) throw error;
    await git(
      'fetch',
      '--quiet',
      'origin',
      '+refs/heads/*:refs/remotes/origin/*',
      '+refs/tags/*:refs/tags/*',
    );
    await git('update-ref', 'FETCH_HEAD', await git('rev-parse', '--verify', `${ref}^{commit}`));
  }
  const commit = await git('rev-parse', '--verify', 'FETCH_HEAD^{commit}');
  const wanted = op.checksum;
  if (wanted !== undefined && !commit.startsWith(wanted)) {
    throw new TsbuildError('TSB_INTEGRITY_CHECKSUM', `expected checksum to match ${wanted}, got ${commit}`, {
      hint: 'The reference leads to another commit than --checksum says.',
    });
  }
  await git('checkout', '--quiet', '--force', '--detach', commit);
  if (op.submodules) await git('submodule', 'update', '--quiet', '--init', '--recursive', '--depth', '1');
  return commit;
}

function runGit(op: GitOp, folder: string, args: string[], signal: AbortSignal): Promise<string> {
  const env = {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    HOME: process.env['HOME'] ?? '/',
    ...(process.env['SSH_AUTH_SOCK'] === undefined ? {} : { SSH_AUTH_SOCK: process.env['SSH_AUTH_SOCK'] }),
    ...proxies(),
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ALLOW_PROTOCOL: 'http:https:git:ssh',
    LC_ALL: 'C',
  };
  const settings = [
    '-c',
    'core.hooksPath=/dev/null',
    '-c',
    'core.fsmonitor=false',
    '-c',
    'init.defaultBranch=main',
  ];
  return new Promise((resolve, reject) => {
    const options = { cwd: folder, env, signal, timeout: 10 * minutes, maxBuffer: 16 * 1024 * 1024 };
    execFile('git', [...settings, ...args], options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout.trim());
      else reject(signal.aborted ? signal.reason : explain(op, error, stderr));
    });
  });
}

function proxies(): Record<string, string> {
  const names = ['http_proxy', 'https_proxy', 'no_proxy', 'all_proxy'].flatMap((name) => [
    name,
    name.toUpperCase(),
  ]);
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] ? [[name, process.env[name] as string]] : [])),
  );
}

function explain(op: GitOp, error: ExecFileException, stderr: string): TsbuildError {
  if (error.code === 'ENOENT') {
    return new TsbuildError(
      'TSB_HOST_GIT_MISSING',
      'git is needed to fetch a repository, and is not installed',
      {
        hint: 'apt-get install -y git',
      },
    );
  }
  const said = withoutCredentials(stderr.trim() || error.message);
  return new TsbuildError(
    'TSB_RESOLVE_GIT',
    `failed to fetch remote ${withoutCredentials(op.remote)}: ${said}`,
    {
      hint: 'Check the address and the reference; private repositories need --ssh or credentials.',
    },
  );
}

/** URLs without user name and password. */
function withoutCredentials(text: string): string {
  return text.replace(/(\w+:\/\/)[^/\s@]+@/g, '$1');
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
