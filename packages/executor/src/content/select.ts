/** From the source of a COPY, an ADD or a bind mount to the files it names: the same for keys and for copying. */
import { goMatch, hasWildcard, PatternMatcher } from '@tsbuild/core';
import * as native from '@tsbuild/native';
import type { Stat } from '@tsbuild/native';
import type { Selector } from '@tsbuild/solver';
import { ignoreState } from '../context/ignore.js';
import { isDirectory, openDirectory, openListing, statExact, withFd } from '../rootfs/open.js';
import { baseOf, cleanInRoot, joinRaw, type RawPath, rawPath, textOf } from '../rootfs/raw-path.js';
import { resolveInRoot } from '../rootfs/resolve.js';
import {
  type Filter,
  filterEntries,
  findDeadEnds,
  includeFilter,
  isEmptyFilter,
  type SelectedEntry,
} from './filter.js';
import { notFound } from './not-found.js';
import type { Tree } from './tree.js';

export type CopySelector = Extract<Selector, { type: 'copy' }>['action'];

/** What one copy operation reads. */
export interface Selection {
  /** Last component of the source as written or as matched by a wildcard; '' for the root. */
  name: RawPath;
  /** Exact path in the tree. */
  path: RawPath;
  stat: Stat;
  /** For a directory: what is selected below it, in walk order. */
  entries: SelectedEntry[];
}

/**
 * The copy operations of one source, in order; none where a wildcard matches nothing.
 * @throws TsbuildError TSB_CONTEXT_NOT_FOUND for a missing source without wildcards
 */
export async function selectCopy(
  tree: Tree,
  action: CopySelector,
  xattrs: boolean,
  signal: AbortSignal,
): Promise<Selection[]> {
  const exclude = action.exclude.length === 0 ? undefined : new PatternMatcher(action.exclude);
  if (action.parents) return [await selectParents(tree, action.source, exclude, xattrs, signal)];
  if (!hasWildcard(action.source)) {
    const source = cleanInRoot(rawPath(action.source));
    return [await selectRequired(tree, source, { exclude }, xattrs, signal)];
  }
  const selections: Selection[] = [];
  for (const match of matchWildcards(tree, action.source)) {
    const selection = await selectPath(tree, match, { exclude }, xattrs, signal);
    if (selection !== undefined) selections.push(selection);
  }
  return selections;
}

/** @throws TsbuildError TSB_CONTEXT_NOT_FOUND */
export async function selectRequired(
  tree: Tree,
  source: RawPath,
  filter: Filter,
  xattrs: boolean,
  signal: AbortSignal,
): Promise<Selection> {
  const selection = await selectPath(tree, source, filter, xattrs, signal);
  if (selection === undefined) throw notFound(tree, source);
  return selection;
}

/** COPY --parents: the part before `/./` is where paths start, what follows is a pattern below it. */
async function selectParents(
  tree: Tree,
  source: string,
  exclude: PatternMatcher | undefined,
  xattrs: boolean,
  signal: AbortSignal,
): Promise<Selection> {
  const { pivot, pattern } = splitPivot(source);
  const start = cleanInRoot(rawPath(pivot));
  if (pattern === '') return selectRequired(tree, start, { exclude }, xattrs, signal);
  if (!hasWildcard(pattern)) {
    const path = resolveInRoot(tree.root, joinRaw(start, rawPath(pattern)));
    if (statExact(tree.root, path) === undefined) throw notFound(tree, joinRaw(start, rawPath(pattern)));
  }
  const selection = await selectRequired(
    tree,
    start,
    { exclude, include: includeFilter(pattern) },
    xattrs,
    signal,
  );
  if (!hasWildcard(pattern) && selection.entries.length === 0)
    throw notFound(tree, joinRaw(start, rawPath(pattern)));
  return selection;
}

export function splitPivot(source: string): { pivot: string; pattern: string } {
  const at = `${source}/`.indexOf('/./');
  const pivot = at < 0 ? '/' : source.slice(0, at + 1);
  const rest = at < 0 ? source : source.slice(at + 3);
  return { pivot, pattern: cleanInRoot(rest as RawPath) };
}

/** The selection at a path whose links are followed; undefined where nothing is or the ignore file hides it. */
export async function selectPath(
  tree: Tree,
  source: RawPath,
  filter: Filter,
  xattrs: boolean,
  signal: AbortSignal,
): Promise<Selection | undefined> {
  let hiddenLink = false;
  const onLink = (link: RawPath) => {
    if (isHidden(tree, link)) hiddenLink = true;
  };
  const path = resolveInRoot(tree.root, source, { onLink });
  const stat = statExact(tree.root, path);
  if (stat === undefined || hiddenLink) return undefined;
  const name = baseOf(source);
  if (!isDirectory(stat)) return isHidden(tree, path) ? undefined : { name, path, stat, entries: [] };
  const base = textOf(path);
  const full: Filter = { ...filter, ignore: tree.ignore && { rules: tree.ignore, base } };
  if (isHidden(tree, path) && !tree.ignore?.matcher.mayKeepBelow(base)) return undefined;
  const entries = await walkFiltered(tree, path, full, xattrs, signal);
  if (isHidden(tree, path) && entries.length === 0) {
    // An ignored directory is part of the context if anything below it is, whether this step wants that or not.
    const kept = await walkFiltered(tree, path, { ignore: full.ignore }, false, signal);
    if (kept.length === 0) return undefined;
  }
  return { name, path, stat, entries };
}

async function walkFiltered(
  tree: Tree,
  path: RawPath,
  filter: Filter,
  xattrs: boolean,
  signal: AbortSignal,
): Promise<SelectedEntry[]> {
  const prune = isEmptyFilter(filter) ? [] : findDeadEnds(tree.root, path, filter);
  const walked = await withFd(openDirectory(tree.root, path), (fd) =>
    native.walk(fd, '', { xattrs, prune, crossMounts: tree.crossMounts }, signal),
  );
  return filterEntries(walked, filter);
}

export function isHidden(tree: Tree, path: RawPath): boolean {
  return tree.ignore !== undefined && path !== '' && ignoreState(tree.ignore, textOf(path)).matched;
}

/**
 * Matches in walk order; a matched directory is not searched for deeper ones. The part before the first wildcard
 * is followed through links, what comes after is not (as fsutil's ResolveWildcards).
 */
export function matchWildcards(tree: Tree, source: string): RawPath[] {
  const parts = cleanInRoot(source as RawPath).split('/');
  const first = parts.findIndex((part) => hasWildcard(part));
  const fixed = rawPath(parts.slice(0, first).join('/'));
  const pattern = parts.slice(first).join('/');
  const base = resolveInRoot(tree.root, fixed);
  const stat = statExact(tree.root, base);
  if (stat === undefined || !isDirectory(stat)) return [];
  // A class such as [^a] also matches a slash; without one, each component can be matched on its own.
  const byComponent = !/[[\\]/.test(pattern);
  const components = pattern.split('/');
  const matches: RawPath[] = [];
  const visit = (relative: RawPath, depth: number): void => {
    const children = withFd(openListing(tree.root, joinRaw(base, relative)), (fd) => native.readdir(fd));
    for (const { name, type } of children) {
      const child = joinRaw(relative, rawPath(name));
      if (goMatch(pattern, textOf(child))) {
        matches.push(joinRaw(base, child));
        continue;
      }
      const enter = byComponent
        ? depth + 1 < components.length && goMatch(components[depth] as string, textOf(rawPath(name)))
        : true;
      if (enter && isDirectoryAt(tree, joinRaw(base, child), type)) visit(child, depth + 1);
    }
  };
  visit('' as RawPath, 0);
  return matches;
}

function isDirectoryAt(tree: Tree, path: RawPath, type: number): boolean {
  if (type !== 0) return type === native.constants.S_IFDIR;
  const stat = statExact(tree.root, path);
  return stat !== undefined && isDirectory(stat);
}
