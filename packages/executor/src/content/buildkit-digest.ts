/**
 * Content digests as BuildKit's cache has them (its cache/contenthash): of the same files as tsbuild's own, so that a
 * cache that BuildKit wrote is found by them, and the other way round.
 */
import {
  type BuildkitFile,
  buildkitContextRoot,
  buildkitDirectoryDigest,
  buildkitFileDigest,
  buildkitHeader,
  combineBuildkitParts,
  type Digest,
  PatternMatcher,
  sha256,
} from '@tsbuild/core';
import * as native from '@tsbuild/native';
import type { Stat, Xattr } from '@tsbuild/native';
import type { BuildkitSelector } from '@tsbuild/solver';
import { openExact, typeOf, withFd } from '../rootfs/open.js';
import { baseOf, bytesOf, cleanInRoot, joinRaw, type RawPath, rawPath } from '../rootfs/raw-path.js';
import { resolveInRoot } from '../rootfs/resolve.js';
import type { HashFiles } from './digest.js';
import { isHidden, matchWildcards, type Selection, selectPath } from './select.js';
import type { Tree } from './tree.js';

const { S_IFREG, S_IFDIR, S_IFLNK, S_IFCHR, S_IFBLK, S_IFIFO, O_PATH, O_NOFOLLOW } = native.constants;

/** Makes the hasher of files whose headers are given by path. */
export type HashHeaded = (headerOf: (path: RawPath) => Buffer) => HashFiles | Promise<HashFiles>;

export function hashHeadedWithoutCache(tree: Tree, signal: AbortSignal): HashHeaded {
  return (headerOf) => async (files) => {
    const paths = files.map(({ path }) => path);
    const digests = await native.hashFiles(tree.root, paths.map(bytesOf), signal, paths.map(headerOf));
    return files.map((_, index) => digests.subarray(index * 32, index * 32 + 32));
  };
}

export interface BuildkitOptions {
  hashHeaded: HashHeaded;
  /** Of a build context, owners and the root's own attributes do not count. */
  fromContext: boolean;
}

/** The digest of the parts together; undefined where one is not there. */
export async function digestBuildkit(
  tree: Tree,
  selectors: readonly BuildkitSelector[],
  options: BuildkitOptions,
  signal: AbortSignal,
): Promise<Digest | undefined> {
  const parts: Part[] = [];
  for (const selector of selectors) {
    const part = await partOf(tree, selector, signal);
    if (part === undefined) return undefined;
    parts.push(part);
  }
  const digestOf = await hashItems(parts.flatMap(itemsOf), options);
  return combineBuildkitParts(parts.map((part) => partDigest(part, digestOf)));
}

/** A file, a link or a directory without its content. */
interface Item {
  path: RawPath;
  stat: Stat;
  link?: Uint8Array | undefined;
  xattrs: readonly Xattr[];
}

/** A directory with all below it, or something else. */
interface Whole {
  type: 'whole';
  top: Item;
  /** Names relative to the top. */
  below: { name: RawPath; item: Item }[];
}

/** What patterns chose: each with the last part of its name. */
interface Listed {
  type: 'listed';
  /** Last part of the selector's path. */
  name: RawPath;
  entries: { name: RawPath; of: Item | Whole }[];
}

type Part = Whole | Listed;

function isWhole(of: Item | Whole): of is Whole {
  return 'below' in of;
}

function itemsOf(part: Part): Item[] {
  if (part.type === 'whole') return [part.top, ...part.below.map(({ item }) => item)];
  return part.entries.flatMap(({ of }) => (isWhole(of) ? itemsOf(of) : [of]));
}

async function partOf(
  tree: Tree,
  selector: BuildkitSelector,
  signal: AbortSignal,
): Promise<Part | undefined> {
  const path = cleanInRoot(rawPath(selector.path));
  const hasPatterns = selector.include.length > 0 || selector.exclude.length > 0;
  if (!selector.wildcard && !hasPatterns) return await wholePart(tree, path, signal);
  const roots = selector.wildcard ? matchWildcards(tree, selector.path) : [path];
  const entries: Listed['entries'] = [];
  for (const root of roots) {
    const listed = await listBelow(tree, root, selector, signal);
    if (listed === undefined) return undefined;
    entries.push(...listed);
  }
  return { type: 'listed', name: baseOf(path), entries };
}

async function wholePart(tree: Tree, path: RawPath, signal: AbortSignal): Promise<Whole | undefined> {
  const selection = await selectPath(tree, path, {}, true, signal);
  if (selection === undefined) return undefined;
  return { type: 'whole', top: topOf(tree, selection), below: belowOf(selection) };
}

/** What the patterns choose below one path; undefined where something is not there. */
async function listBelow(
  tree: Tree,
  root: RawPath,
  selector: BuildkitSelector,
  signal: AbortSignal,
): Promise<Listed['entries'] | undefined> {
  const name = baseOf(root);
  if (selector.followLinks && isLink(tree, root)) {
    // Only a wildcard finds what the ignore file hides.
    if (isHidden(tree, root)) return [];
    return await followed(tree, root, name, signal);
  }
  const { matcher: include, reach } = includeOf(selector.include);
  const exclude = selector.exclude.length === 0 ? undefined : new PatternMatcher(selector.exclude);
  const filter = { exclude, include: include && reach && { matcher: include, reach } };
  const selection = await selectPath(tree, root, filter, true, signal);
  if (selection === undefined) return selector.wildcard ? [] : undefined;
  const below = belowOf(selection);
  if (root === '') return await belowRoot(tree, below, selector.followLinks, signal);
  const included = include === undefined || include.matchesUsingParentResults('').matched;
  const excluded = exclude?.matchesUsingParentResults('').matched ?? false;
  const entries = below.map((entry) => ({ name: baseOf(entry.name), of: entry.item }));
  const withTop = (included && !excluded) || entries.length > 0;
  return withTop ? [{ name, of: topOf(tree, selection) }, ...entries] : entries;
}

/** The root itself does not count, so that what is directly in it is followed as what a wildcard finds is. */
async function belowRoot(
  tree: Tree,
  below: Whole['below'],
  followLinks: boolean,
  signal: AbortSignal,
): Promise<Listed['entries'] | undefined> {
  const entries: Listed['entries'] = [];
  for (const { name, item } of below) {
    if (followLinks && !name.includes('/') && typeOf(item.stat) === S_IFLNK) {
      const whole = await followed(tree, name, name, signal);
      if (whole === undefined) return undefined;
      entries.push(...whole);
    } else {
      entries.push({ name: baseOf(name), of: item });
    }
  }
  return entries;
}

/** A link counts as all that it leads to. */
async function followed(
  tree: Tree,
  link: RawPath,
  name: RawPath,
  signal: AbortSignal,
): Promise<Listed['entries'] | undefined> {
  const whole = await wholePart(tree, link, signal);
  return whole && [{ name, of: whole }];
}

function includeOf(patterns: readonly string[]): { matcher?: PatternMatcher; reach?: PatternMatcher } {
  if (patterns.length === 0) return {};
  return {
    matcher: new PatternMatcher(patterns),
    reach: new PatternMatcher(patterns.map((pattern) => `!${pattern}`)),
  };
}

function isLink(tree: Tree, path: RawPath): boolean {
  return resolveInRoot(tree.root, path, { followLast: false }) !== resolveInRoot(tree.root, path);
}

function topOf(tree: Tree, { path, stat }: Selection): Item {
  const xattrs = withFd(openExact(tree.root, path, O_PATH | O_NOFOLLOW), (fd) => native.listXattrs(fd, ''));
  return { path, stat, xattrs };
}

function belowOf(selection: Selection): Whole['below'] {
  return selection.entries.map((entry) => ({
    name: entry.raw,
    item: {
      path: joinRaw(selection.path, entry.raw),
      stat: entry,
      link: entry.link,
      xattrs: entry.xattrs ?? [],
    },
  }));
}

async function hashItems(
  items: readonly Item[],
  { hashHeaded, fromContext }: BuildkitOptions,
): Promise<(item: Item) => Digest> {
  const digests = new Map<Item, Digest>();
  const files: Item[] = [];
  const headers = new Map<RawPath, Buffer>();
  for (const item of items) {
    const isRoot = item.path === '' && fromContext;
    if (typeOf(item.stat) === S_IFREG) {
      files.push(item);
      headers.set(item.path, buildkitHeader(fileOf(item, fromContext)));
    } else {
      digests.set(item, isRoot ? buildkitContextRoot : buildkitFileDigest(fileOf(item, fromContext)));
    }
  }
  const hashFiles = await hashHeaded((path) => headers.get(path) as Buffer);
  const hashed = await hashFiles(files);
  for (const [index, item] of files.entries()) {
    digests.set(item, `sha256:${(hashed[index] as Buffer).toString('hex')}` as Digest);
  }
  return (item) => digests.get(item) as Digest;
}

function fileOf({ stat, link, xattrs }: Item, fromContext: boolean): BuildkitFile {
  const type = typeName(stat);
  return {
    type,
    mode: type === 'symlink' ? 0o777 : stat.mode & 0o7777,
    uid: fromContext ? 0 : stat.uid,
    gid: fromContext ? 0 : stat.gid,
    size: stat.size,
    link,
    device:
      fromContext && (type === 'char' || type === 'block')
        ? { major: stat.rdevMajor, minor: stat.rdevMinor }
        : undefined,
    xattrs: xattrs.filter(({ name }) => !/^(?:trusted|user)\.overlay\./.test(name)),
  };
}

/** A socket counts as an empty file. */
function typeName(stat: Stat): BuildkitFile['type'] {
  switch (typeOf(stat)) {
    case S_IFDIR:
      return 'directory';
    case S_IFLNK:
      return 'symlink';
    case S_IFCHR:
      return 'char';
    case S_IFBLK:
      return 'block';
    case S_IFIFO:
      return 'fifo';
    default:
      return 'file';
  }
}

function partDigest(part: Part, digestOf: (item: Item) => Digest): Digest {
  if (part.type === 'whole') return wholeDigest(part, digestOf);
  const entries = part.entries.map(({ name, of }) => ({
    name,
    digest: isWhole(of) ? wholeDigest(of, digestOf) : digestOf(of),
  }));
  const [only, ...others] = entries;
  if (only === undefined) return sha256('');
  if (others.length === 0 && only.name === part.name) return only.digest;
  return sha256(
    Buffer.concat(
      entries.flatMap(({ name, digest }, index) => [
        Buffer.from(index === 0 ? '' : '\0'),
        bytesOf(name),
        Buffer.from(digest),
      ]),
    ),
  );
}

function wholeDigest({ top, below }: Whole, digestOf: (item: Item) => Digest): Digest {
  if (typeOf(top.stat) !== S_IFDIR) return digestOf(top);
  const children = new Map<string, { name: RawPath; item: Item }[]>();
  for (const entry of below) {
    const parent = entry.name.slice(0, Math.max(0, entry.name.lastIndexOf('/')));
    const list = children.get(parent);
    if (list === undefined) children.set(parent, [entry]);
    else list.push(entry);
  }
  const directory = (path: string, item: Item): Digest =>
    buildkitDirectoryDigest(
      digestOf(item),
      (children.get(path) ?? []).map((child) => ({
        name: bytesOf(baseOf(child.name)),
        digest:
          typeOf(child.item.stat) === S_IFDIR ? directory(child.name, child.item) : digestOf(child.item),
      })),
    );
  return directory('', top);
}
