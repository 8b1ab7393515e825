/** A repository as the build context: checked out into a temporary folder, and read like a folder of the user's. */
import { realpathSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TsbuildError } from '@tsbuild/core';
import { checkOutGit } from '@tsbuild/executor';
import type { GitOp } from '@tsbuild/solver';
import type { BuildOptions } from '../api/types.js';
import { agentsOf, secretReader, sshSocket } from './secrets.js';

/** Where a subdirectory is a link, it must not lead out of the checkout. */
export async function gitFolder(
  op: GitOp,
  folder: string,
  options: Pick<BuildOptions, 'secrets' | 'ssh' | 'context' | 'buildArgs'>,
  signal: AbortSignal,
): Promise<string> {
  const keepGitDir = op.keepGitDir || options.buildArgs?.['BUILDKIT_CONTEXT_KEEP_GIT_DIR'] === '1';
  const access = { secret: secretReader(options.secrets ?? []), sshAgent: sshSocket(agentsOf(options)) };
  await checkOutGit({ ...op, keepGitDir }, folder, access, signal);
  if (!keepGitDir) await removeGitFiles(Buffer.from(folder));
  if (op.subdir === undefined) return folder;
  const root = realpathSync(folder);
  const path = resolveOrUndefined(join(root, op.subdir));
  if (path === undefined || (path !== root && !path.startsWith(`${root}/`))) {
    throw new TsbuildError(
      'TSB_RESOLVE_GIT',
      `${JSON.stringify(op.subdir)} is no directory of the repository`,
      {
        hint: 'Check what follows the colon in the URL: #ref:subdirectory.',
      },
    );
  }
  return path;
}

/** The repository's own folder, and the files that lead the submodules to theirs in it. Names are bytes. */
async function removeGitFiles(checkout: Buffer): Promise<void> {
  for (const entry of await readdir(checkout, { withFileTypes: true, encoding: 'buffer' })) {
    const path = Buffer.concat([checkout, Buffer.from('/'), entry.name]);
    if (entry.name.toString('latin1') === '.git') await rm(path, { recursive: true, force: true });
    else if (entry.isDirectory()) await removeGitFiles(path);
  }
}

function resolveOrUndefined(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}
