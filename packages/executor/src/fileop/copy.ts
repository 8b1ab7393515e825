/**
 * COPY and ADD of files: one selection into the destination root, by the rules of `cp -a` except where the
 * Dockerfile reference differs (dockerfile semantics 10.3 to 10.10).
 */
import { TsbuildError } from '@tsbuild/core';
import * as native from '@tsbuild/native';
import type { CopyTreeItem, Fd } from '@tsbuild/native';
import type { SelectedEntry } from '../content/filter.js';
import type { Selection } from '../content/select.js';
import type { Tree } from '../content/tree.js';
import { makeDirectory, mkdirAll } from '../rootfs/mkdir-all.js';
import {
  isDirectory,
  isRegular,
  openDirectory,
  openExact,
  openListing,
  statExact,
  typeOf,
  withFd,
} from '../rootfs/open.js';
import { baseOf, bytesOf, joinRaw, parentOf, type RawPath, rawPath, textOf } from '../rootfs/raw-path.js';
import { resolveInRoot } from '../rootfs/resolve.js';
import { type Attributes, applyToDirectory, impliedDirectory, modeFor } from './attributes.js';

export interface CopyTarget {
  root: Fd;
  /** As in the instruction: absolute; a trailing `/` or `/.` means a directory. */
  destination: string;
  attributes: Attributes;
  signal: AbortSignal;
}

/** Makes the directories that the destination implies and says where it leads. */
export function prepareDestination(target: CopyTarget): RawPath {
  const { root, destination } = target;
  const asDirectory = /\/\.?$/.test(destination);
  const needed = asDirectory ? destination : destination.slice(0, destination.lastIndexOf('/') + 1);
  mkdirAll(root, resolveInRoot(root, rawPath(needed)), impliedDirectory(target.attributes));
  return resolveInRoot(root, rawPath(destination));
}

/** Copies the selections of one source in order. */
export async function copySelections(
  tree: Tree,
  selections: readonly Selection[],
  target: CopyTarget,
): Promise<void> {
  for (let at = 0; at < selections.length; ) {
    const batch = plainFilesFrom(selections, at);
    if (batch.length > 1) await copyPlainFiles(tree, batch, target);
    else await copySelection(tree, selections[at] as Selection, target);
    at += Math.max(1, batch.length);
  }
}

/**
 * The longest run of files that can be copied in one batch with the same outcome as one by one: names differ, and
 * none has a second name (hard links are not kept between the matches of a wildcard).
 */
function plainFilesFrom(selections: readonly Selection[], start: number): Selection[] {
  const names = new Set<RawPath>();
  let end = start;
  for (; end < selections.length; end += 1) {
    const { stat, name } = selections[end] as Selection;
    if (!isRegular(stat) || stat.nlink > 1 || names.has(name)) break;
    names.add(name);
  }
  return selections.slice(start, end);
}

async function copyPlainFiles(
  tree: Tree,
  selections: readonly Selection[],
  target: CopyTarget,
): Promise<void> {
  const directory = prepareDestination(target);
  const existing = statExact(target.root, directory);
  if (existing === undefined || !isDirectory(existing)) {
    for (const selection of selections) await copySelection(tree, selection, target);
    return;
  }
  const items = selections.map(({ path, name }): CopyTreeItem => {
    makeRoom(target.root, joinRaw(directory, name));
    return { source: bytesOf(path), destination: bytesOf(name) };
  });
  await withFd(openDirectory(target.root, directory), async (to) => {
    await native.copyFiles(tree.root, to, items, copyOptions(target.attributes), target.signal);
    if (target.attributes.mode?.type !== 'symbolic') return;
    for (const { name, stat } of selections)
      native.chmodat(to, bytesOf(name), modeFor(target.attributes, stat));
  });
}

/** Copies one selection; hard links are kept inside it. */
export async function copySelection(tree: Tree, selection: Selection, target: CopyTarget): Promise<void> {
  const resolved = prepareDestination(target);
  const existing = statExact(target.root, resolved);
  if (isDirectory(selection.stat)) {
    if (existing === undefined) mkdirAll(target.root, resolved, impliedDirectory(target.attributes));
    else if (!isDirectory(existing)) throw notADirectory(resolved);
    return copyContents(tree, selection, resolved, existing === undefined, target);
  }
  const path = existing !== undefined && isDirectory(existing) ? joinRaw(resolved, selection.name) : resolved;
  mkdirAll(target.root, parentOf(path), impliedDirectory(target.attributes));
  await copyOneFile(tree, selection, path, target);
}

async function copyOneFile(
  tree: Tree,
  selection: Selection,
  path: RawPath,
  target: CopyTarget,
): Promise<void> {
  makeRoom(target.root, path);
  const name = baseOf(path);
  await withFd(openDirectory(tree.root, parentOf(selection.path)), (from) =>
    withFd(openDirectory(target.root, parentOf(path)), async (to) => {
      const items = [{ source: bytesOf(baseOf(selection.path)), destination: bytesOf(name) }];
      await native.copyFiles(from, to, items, copyOptions(target.attributes), target.signal);
      if (target.attributes.mode?.type === 'symbolic') {
        native.chmodat(to, bytesOf(name), modeFor(target.attributes, selection.stat));
      }
    }),
  );
}

/** Removes what a file is about to replace. */
export function makeRoom(root: Fd, path: RawPath): void {
  const existing = statExact(root, path);
  if (existing === undefined) return;
  if (isDirectory(existing)) throw isADirectory(path);
  withFd(openDirectory(root, parentOf(path)), (parent) => native.unlinkat(parent, bytesOf(baseOf(path))));
}

function copyOptions({ owner, mode }: Attributes): native.CopyOptions {
  return {
    xattrs: true,
    ...(owner && { uid: owner.uid, gid: owner.gid }),
    ...(mode?.type === 'octal' && { mode: mode.mode }),
  };
}

/** Into an existing directory: directories first, then all files in one batch, directory attributes last. */
async function copyContents(
  tree: Tree,
  selection: Selection,
  destination: RawPath,
  isNew: boolean,
  target: CopyTarget,
): Promise<void> {
  const { entries } = selection;
  await withFd(openDirectory(tree.root, selection.path), (from) =>
    withFd(openDirectory(target.root, destination), async (to) => {
      const made = makeDirectories(to, entries, destination, isNew);
      const files = entries.filter((entry) => !isDirectory(entry));
      const items = files.map((entry): CopyTreeItem => ({ source: entry.path, destination: entry.path }));
      await native.copyFiles(from, to, items, copyOptions(target.attributes), target.signal);
      if (target.attributes.mode?.type === 'symbolic') chmodFiles(to, files, target.attributes);
      finishDirectories(from, to, entries, made, target.attributes);
      native.utimesat(to, '', selection.stat.atimeNs, selection.stat.mtimeNs);
    }),
  );
}

/**
 * Makes the selection's directories and clears the way for its files. An existing directory is read once, so a
 * new one costs nothing but its creation.
 * @returns the directories that did not exist
 */
function makeDirectories(
  to: Fd,
  entries: readonly SelectedEntry[],
  destination: RawPath,
  isNew: boolean,
): Set<RawPath> {
  const made = new Set<RawPath>(isNew ? ['' as RawPath] : []);
  const listings = new Map<RawPath, Map<RawPath, number>>();
  const existingType = (path: RawPath): number | undefined => {
    const parent = parentOf(path);
    if (made.has(parent)) return undefined;
    let names = listings.get(parent);
    if (names === undefined) {
      names = new Map(
        withFd(openListing(to, parent), (fd) => native.readdir(fd)).map(({ name, type }) => [
          rawPath(name),
          type,
        ]),
      );
      listings.set(parent, names);
    }
    const type = names.get(baseOf(path));
    return type === 0 ? typeOf(statExact(to, path) ?? { mode: 0 }) : type;
  };
  for (const entry of entries) {
    const { raw } = entry;
    const type = existingType(raw);
    if (isDirectory(entry)) {
      if (type === native.constants.S_IFDIR) continue;
      if (type !== undefined) throw notADirectory(joinRaw(destination, raw));
      withFd(openDirectory(to, parentOf(raw)), (parent) =>
        makeDirectory(parent, baseOf(raw), { mode: 0o700, uid: 0, gid: 0 }),
      );
      made.add(raw);
    } else if (type !== undefined) {
      if (type === native.constants.S_IFDIR) throw isADirectory(joinRaw(destination, raw));
      withFd(openDirectory(to, parentOf(raw)), (parent) => native.unlinkat(parent, bytesOf(baseOf(raw))));
    }
  }
  return made;
}

/** A symbolic --chmod gives each file a mode of its own. */
function chmodFiles(to: Fd, files: readonly SelectedEntry[], attributes: Attributes): void {
  for (const entry of files) {
    if (typeOf(entry) === native.constants.S_IFLNK || typeOf(entry) === native.constants.S_IFSOCK) continue;
    const mode = modeFor(attributes, entry);
    if (mode === (entry.mode & 0o7777)) continue;
    const { O_PATH, O_NOFOLLOW } = native.constants;
    withFd(openExact(to, entry.raw, O_PATH | O_NOFOLLOW), (fd) => native.chmodat(fd, '', mode));
  }
}

/** Children before parents, so that no later change touches a directory's times again. */
function finishDirectories(
  from: Fd,
  to: Fd,
  entries: readonly SelectedEntry[],
  made: ReadonlySet<RawPath>,
  attributes: Attributes,
): void {
  for (const entry of entries.toReversed()) {
    if (!isDirectory(entry)) continue;
    // A directory that only holds something selected is not part of the selection: it keeps what it has.
    if (entry.parentOnly && !made.has(entry.raw)) continue;
    const xattrs = withFd(openDirectory(from, entry.raw), (fd) => native.listXattrs(fd, ''));
    withFd(openDirectory(to, parentOf(entry.raw)), (parent) =>
      applyToDirectory(parent, baseOf(entry.raw), entry, xattrs, attributes),
    );
  }
}

function notADirectory(path: RawPath): TsbuildError {
  return new TsbuildError('TSB_EXEC_NOT_A_DIRECTORY', `cannot copy to non-directory: /${textOf(path)}`, {
    hint: 'The source is a directory, the destination a file or a link; copy to another path or remove it first.',
  });
}

function isADirectory(path: RawPath): TsbuildError {
  return new TsbuildError(
    'TSB_EXEC_IS_A_DIRECTORY',
    `cannot replace to directory /${textOf(path)} with file`,
    {
      hint: 'The destination has a directory where the source has a file; copy to another path or remove it first.',
    },
  );
}
