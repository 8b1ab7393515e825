/** The actions of a file step (WORKDIR, COPY, ADD, heredocs) on the root of its new layer's mount. */
import { writeSync } from 'node:fs';
import type { CopyAction, FileAction, MkdirAction, MkfileAction, OwnerSpec, VertexId } from '@tsbuild/solver';
import * as native from '@tsbuild/native';
import type { Fd } from '@tsbuild/native';
import { type Selection, selectCopy } from '../content/select.js';
import type { Tree } from '../content/tree.js';
import { mkdirAll } from '../rootfs/mkdir-all.js';
import { isRegular, openDirectory, openExact, statExact, isDirectory, withFd } from '../rootfs/open.js';
import { baseOf, bytesOf, joinRaw, parentOf, rawPath } from '../rootfs/raw-path.js';
import { resolveInRoot } from '../rootfs/resolve.js';
import { isArchive } from '../source/sniff-tar.js';
import { type Attributes, impliedDirectory, type Owner } from './attributes.js';
import { type CopyTarget, copySelection, copySelections, makeRoom, prepareDestination } from './copy.js';
import { parseMode } from './mode.js';
import { changeOwner } from '../rootfs/owner.js';

export interface FileStep {
  /** Root of the destination: an overlay mount, or the bare upper directory where there is nothing below. */
  root: Fd;
  treeOf(from: VertexId): Tree;
  /** Ids of `user[:group]` by the root's own passwd and group files. */
  resolveOwner(root: Fd, owner: OwnerSpec): Owner;
  /** Unpacks an archive below a directory, which no entry can leave. */
  extract(archive: Fd, directory: Fd, owner: Owner | undefined, signal: AbortSignal): Promise<void>;
  signal: AbortSignal;
}

export async function runFileActions(actions: readonly FileAction[], step: FileStep): Promise<void> {
  for (const action of actions) {
    step.signal.throwIfAborted();
    if (action.type === 'mkdir') makeWorkdir(action, step);
    else if (action.type === 'mkfile') makeHeredoc(action, step);
    else await copy(action, step);
  }
}

function ownerOf(spec: OwnerSpec | undefined, step: FileStep): Owner | undefined {
  return spec === undefined ? undefined : step.resolveOwner(step.root, spec);
}

function makeWorkdir(action: MkdirAction, step: FileStep): void {
  const owner = ownerOf(action.owner, step) ?? { uid: 0, gid: 0 };
  const path = resolveInRoot(step.root, rawPath(action.path));
  const mtimeNs = action.mtime === undefined ? undefined : BigInt(action.mtime);
  mkdirAll(step.root, path, { mode: action.mode, ...owner, mtimeNs });
}

function targetOf(
  action: { destination: string; chmod?: string; chown?: OwnerSpec },
  step: FileStep,
  defaultOwner: Owner | undefined,
): CopyTarget {
  const attributes: Attributes = {
    owner: ownerOf(action.chown, step) ?? defaultOwner,
    mode: action.chmod === undefined ? undefined : parseMode(action.chmod),
  };
  return { root: step.root, destination: action.destination, attributes, signal: step.signal };
}

function makeHeredoc(action: MkfileAction, step: FileStep): void {
  const target = targetOf(action, step, undefined);
  const { mode, owner } = target.attributes;
  let path = prepareDestination(target);
  const existing = statExact(step.root, path);
  if (existing !== undefined && isDirectory(existing)) path = joinRaw(path, rawPath(action.name));
  // A link may have led to where nothing is yet; a name with a slash makes no folders.
  else mkdirAll(step.root, parentOf(path), impliedDirectory(target.attributes));
  makeRoom(step.root, path);
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = native.constants;
  const { RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS } = native.constants;
  const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
  withFd(openDirectory(step.root, parentOf(path)), (parent) =>
    withFd(
      native.openat2(parent, bytesOf(baseOf(path)), flags, 0o600, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS),
      (file) => {
        writeFully(file, Buffer.from(action.data));
        changeOwner(file, '', owner?.uid ?? 0, owner?.gid ?? 0);
        native.chmodat(
          file,
          '',
          mode === undefined ? 0o644 : mode.type === 'octal' ? mode.mode : mode.apply(0o644, false),
        );
      },
    ),
  );
}

function writeFully(file: Fd, data: Buffer): void {
  for (let at = 0; at < data.length; ) at += writeSync(file, data, at);
}

async function copy(action: CopyAction, step: FileStep): Promise<void> {
  const tree = step.treeOf(action.from);
  const target = targetOf(action, step, action.ownerZero ? { uid: 0, gid: 0 } : undefined);
  const selections = await selectCopy(tree, action, false, step.signal);
  if (action.unpack === 'never') {
    await copySelections(tree, selections, target);
    return;
  }
  for (const selection of selections) {
    if (!(await unpack(action, tree, selection, step))) await copySelection(tree, selection, target);
  }
}

/** Unpacks the selection if it is an archive; false if it has to be copied. */
async function unpack(
  action: CopyAction,
  tree: Tree,
  selection: Selection,
  step: FileStep,
): Promise<boolean> {
  if (!isRegular(selection.stat)) return false;
  const { O_RDONLY, O_NOFOLLOW, O_PATH, O_DIRECTORY } = native.constants;
  return withFd(openExact(tree.root, selection.path, O_RDONLY | O_NOFOLLOW), async (archive) => {
    if (!(await isArchive(archive))) return false;
    const owner = ownerOf(action.chown, step);
    const directory = resolveInRoot(step.root, rawPath(action.destination));
    mkdirAll(step.root, directory, { mode: 0o755, uid: owner?.uid ?? 0, gid: owner?.gid ?? 0 });
    await withFd(openExact(step.root, directory, O_PATH | O_DIRECTORY), (to) =>
      step.extract(archive, to, owner, step.signal),
    );
    return true;
  });
}
