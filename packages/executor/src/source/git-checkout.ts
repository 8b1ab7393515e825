/** One commit of a remote repository, fetched without its history and checked out into an own folder. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { TsbuildError } from '@tsbuild/core';
import type { GitOp } from '@tsbuild/solver';
import { type Git, type GitAccess, gitFor } from './git-command.js';

const wholeId = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

/**
 * Checks the commit out. Without keepGitDir, a checksum that is a whole id says which commit it is, wherever the
 * reference leads by now; else the reference must lead to it (BuildKit, source/git).
 * @returns the commit's id
 * @throws TsbuildError TSB_RESOLVE_GIT, TSB_INTEGRITY_CHECKSUM, TSB_HOST_GIT_MISSING
 */
export async function checkOutGit(
  op: GitOp,
  folder: string,
  access: GitAccess,
  signal: AbortSignal,
): Promise<string> {
  const { git, remote } = await gitFor(op.remote, folder, access, signal);
  await git('init', '--quiet');
  await git('remote', 'add', 'origin', remote);
  const { checksum } = op;
  const named = !op.keepGitDir && checksum !== undefined && wholeId.test(checksum) ? checksum : op.ref;
  const ref = named ?? (op.keepGitDir ? await defaultBranch(git) : 'HEAD');
  await fetch(git, ref, signal);
  const [tip, commit] = [
    await git('rev-parse', '--verify', 'FETCH_HEAD'),
    await git('rev-parse', '--verify', 'FETCH_HEAD^{commit}'),
  ];
  if (checksum !== undefined && !commit.startsWith(checksum) && !tip.startsWith(checksum)) {
    throw new TsbuildError(
      'TSB_INTEGRITY_CHECKSUM',
      `expected checksum to match ${checksum}, got ${commit}`,
      {
        hint: 'The reference leads to another commit than --checksum says.',
      },
    );
  }
  if (op.keepGitDir) await nameRefs(git, folder, tip);
  await git('checkout', '--quiet', '--force', '--detach', commit);
  if (op.submodules) await git('submodule', 'update', '--quiet', '--init', '--recursive', '--depth', '1');
  if (op.keepGitDir) {
    await git('reflog', 'expire', '--all', '--expire=now');
    rmSync(join(folder, '.git/FETCH_HEAD'), { force: true });
  }
  return commit;
}

/** So that .git names the branch that was fetched, as BuildKit's does. */
async function defaultBranch(git: Git): Promise<string> {
  const [, branch] =
    /^ref: (\S+)\tHEAD$/m.exec(await git('ls-remote', '--symref', '--', 'origin', 'HEAD')) ?? [];
  return branch ?? 'HEAD';
}

async function fetch(git: Git, ref: string, signal: AbortSignal): Promise<void> {
  // The commit behind a tag may be asked for in the way of ls-remote; it is what is taken anyway.
  const name = ref.replace(/\^\{\}$/, '');
  try {
    await git('fetch', '--quiet', '--depth=1', '--no-tags', '--refmap=', '--', 'origin', name);
  } catch (error) {
    // Servers may refuse single commits: then all branches and tags have to come to find it.
    if (!/^[0-9a-f]{7,64}$/.test(name) || signal.aborted) throw error;
    const all = ['+refs/heads/*:refs/remotes/origin/*', '+refs/tags/*:refs/tags/*'];
    await git('fetch', '--quiet', '--', 'origin', ...all);
    await git('update-ref', 'FETCH_HEAD', await git('rev-parse', '--verify', `${name}^{commit}`));
  }
}

/** The references that BuildKit leaves in a kept .git: a tag its own, a branch one of each kind. */
async function nameRefs(git: Git, folder: string, tip: string): Promise<void> {
  const fetched = readFileSync(join(folder, '.git/FETCH_HEAD'), 'utf8');
  const [, kind, name] = /\t(branch|tag) '([^'\n]+)' of /.exec(fetched) ?? [];
  if (name === undefined) return;
  if (kind === 'branch') await git('update-ref', `refs/heads/${name}`, tip);
  await git('update-ref', `refs/tags/${name}`, tip);
}
