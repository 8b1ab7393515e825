/** Which entries below a source directory are selected: ignore rules, --exclude and the pattern of --parents. */
import { type MatchInfo, PatternMatcher } from '@tsbuild/core';
import * as native from '@tsbuild/native';
import type { Fd, WalkEntry } from '@tsbuild/native';
import { ignoreState, type IgnoreRules } from '../context/ignore.js';
import { isDirectory, openListing, statExact, withFd } from '../rootfs/open.js';
import { joinRaw, type RawPath, rawPath, textOf } from '../rootfs/raw-path.js';

export interface SelectedEntry extends WalkEntry {
  raw: RawPath;
  /** A directory that is only there because something below it is selected. */
  parentOnly: boolean;
}

/** Rules with the path that the walked directory has in each rule's own world. */
export interface Filter {
  ignore?: { rules: IgnoreRules; base: string } | undefined;
  exclude?: PatternMatcher | undefined;
  include?:
    | {
        matcher: PatternMatcher /** The same patterns with a `!`, for mayKeepBelow. */;
        reach: PatternMatcher;
      }
    | undefined;
}

interface State {
  ignored: boolean;
  excluded: boolean;
  included: boolean;
  infos: (MatchInfo | undefined)[];
}

export function includeFilter(pattern: string): NonNullable<Filter['include']> {
  return { matcher: new PatternMatcher([pattern]), reach: new PatternMatcher([`!${pattern}`]) };
}

export function isEmptyFilter(filter: Filter): boolean {
  return filter.ignore === undefined && filter.exclude === undefined && filter.include === undefined;
}

function rootState(filter: Filter): State {
  const ignored =
    filter.ignore === undefined ? undefined : ignoreState(filter.ignore.rules, filter.ignore.base);
  return {
    ignored: ignored?.matched ?? false,
    excluded: false,
    included: filter.include === undefined,
    infos: [ignored?.info, undefined, undefined],
  };
}

function childState(filter: Filter, parent: State, path: string): State {
  const state: State = { ignored: false, excluded: false, included: true, infos: [] };
  if (filter.ignore !== undefined) {
    const full = filter.ignore.base === '' ? path : `${filter.ignore.base}/${path}`;
    const result = filter.ignore.rules.matcher.matchesUsingParentResults(full, parent.infos[0]);
    state.ignored = result.matched;
    state.infos[0] = result.info;
  }
  if (filter.exclude !== undefined) {
    const result = filter.exclude.matchesUsingParentResults(path, parent.infos[1]);
    state.excluded = result.matched;
    state.infos[1] = result.info;
  }
  if (filter.include !== undefined) {
    const result = filter.include.matcher.matchesUsingParentResults(path, parent.infos[2]);
    state.included = result.matched;
    state.infos[2] = result.info;
  }
  return state;
}

/** Whether nothing below a directory in this state can be selected. */
function isDeadEnd(filter: Filter, state: State, path: string): boolean {
  if (filter.ignore !== undefined && state.ignored) {
    const full = filter.ignore.base === '' ? path : `${filter.ignore.base}/${path}`;
    if (!filter.ignore.rules.matcher.mayKeepBelow(full)) return true;
  }
  if (state.excluded && filter.exclude?.mayKeepBelow(path) === false) return true;
  return !state.included && filter.include?.reach.mayKeepBelow(path) === false;
}

/**
 * Directories that need no walk. One readdir for each directory that does: cheaper than to stat what is
 * dropped afterwards, by far so for the node_modules and .git that ignore files usually name.
 */
export function findDeadEnds(root: Fd, directory: RawPath, filter: Filter): Buffer[] {
  const pruned: Buffer[] = [];
  const visit = (relative: RawPath, parent: State): void => {
    const at = joinRaw(directory, relative);
    const children = withFd(openListing(root, at), (fd) => native.readdir(fd));
    for (const { name, type } of children) {
      const child = joinRaw(relative, rawPath(name));
      if (type !== native.constants.S_IFDIR) {
        if (type !== 0) continue;
        const stat = statExact(root, joinRaw(directory, child));
        if (stat === undefined || !isDirectory(stat)) continue;
      }
      const path = textOf(child);
      const state = childState(filter, parent, path);
      if (isDeadEnd(filter, state, path)) pruned.push(Buffer.from(child, 'latin1'));
      else visit(child, state);
    }
  };
  visit('' as RawPath, rootState(filter));
  return pruned;
}

/** The selected entries of a walk, in its order; parents of what is selected come along (dockerfile semantics 11.4). */
export function filterEntries(entries: readonly WalkEntry[], filter: Filter): SelectedEntry[] {
  const selected: SelectedEntry[] = [];
  const open: { prefix: string; state: State; waiting: SelectedEntry | undefined }[] = [
    { prefix: '', state: rootState(filter), waiting: undefined },
  ];
  const noFilter = isEmptyFilter(filter);
  for (const entry of entries) {
    const raw = entry.path.toString('latin1') as RawPath;
    if (noFilter) {
      selected.push(Object.assign(entry, { raw, parentOnly: false }));
      continue;
    }
    while (open.length > 1 && !raw.startsWith((open.at(-1) as { prefix: string }).prefix)) open.pop();
    const parent = open.at(-1) as (typeof open)[number];
    const state = childState(filter, parent.state, textOf(raw));
    const kept = !state.ignored && !state.excluded && state.included;
    // The ignore file decides what the context holds; there a kept child makes its parents whole.
    const parentOnly = !kept && (state.excluded || !state.included);
    const item: SelectedEntry = Object.assign(entry, { raw, parentOnly });
    if (kept) {
      for (const ancestor of open) {
        if (ancestor.waiting === undefined) continue;
        selected.push(ancestor.waiting);
        ancestor.waiting = undefined;
      }
      selected.push(item);
    }
    if (isDirectory(entry)) open.push({ prefix: `${raw}/`, state, waiting: kept ? undefined : item });
  }
  return selected;
}
