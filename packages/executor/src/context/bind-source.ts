/**
 * What a bind mount of the build context shows: the selected part without ignored files, all owned by root. The
 * folder itself is shown where that is the same; else a copy of the part.
 */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import * as native from '@tsbuild/native';
import { type Selection, selectRequired } from '../content/select.js';
import type { Tree } from '../content/tree.js';
import { copySelection } from '../fileop/copy.js';
import { withFd } from '../rootfs/open.js';
import { cleanInRoot, type RawPath, rawPath, textOf } from '../rootfs/raw-path.js';

export interface BindSource {
  /** A folder in which `source` leads to exactly what may be seen. */
  path: string;
  close(): Promise<void>;
}

/**
 * @param folder path of the context
 * @param source as in the mount
 * @param tmp where a copy is made
 * @throws TsbuildError TSB_CONTEXT_NOT_FOUND
 */
export async function bindSource(
  tree: Tree,
  folder: string,
  source: string,
  tmp: string,
  signal: AbortSignal,
): Promise<BindSource> {
  const path = cleanInRoot(rawPath(source));
  const selection = await selectRequired(tree, path, {}, false, signal);
  if (tree.ignore === undefined && isOwnedByRoot(selection))
    return { path: folder, close: async () => undefined };
  const copy = mkdtempSync(join(tmp, 'context-'));
  const close = () => native.removeTree(native.AT_FDCWD, copy);
  try {
    await copyTo(tree, selection, path, copy, signal);
  } catch (error) {
    await close();
    throw error;
  }
  return { path: copy, close };
}

function isOwnedByRoot({ stat, entries }: Selection): boolean {
  return stat.uid === 0 && stat.gid === 0 && entries.every(({ uid, gid }) => uid === 0 && gid === 0);
}

async function copyTo(
  tree: Tree,
  selection: Selection,
  path: RawPath,
  copy: string,
  signal: AbortSignal,
): Promise<void> {
  const { O_PATH, O_DIRECTORY } = native.constants;
  await withFd(native.openat2(native.AT_FDCWD, copy, O_PATH | O_DIRECTORY, 0, 0), (root) =>
    copySelection(tree, selection, {
      root,
      destination: `/${textOf(path)}`,
      attributes: { owner: { uid: 0, gid: 0 }, mode: undefined },
      signal,
    }),
  );
  native.chmodat(native.AT_FDCWD, copy, 0o755);
}
