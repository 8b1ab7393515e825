/**
 * The digest of selected files by content. In it: names relative to the destination, type, permission bits,
 * owner, device numbers, link text, extended attributes, size and data, and which names are one file. Never times.
 */
import type { Digest } from '@tsbuild/core';
import * as native from '@tsbuild/native';
import type { Stat, Xattr } from '@tsbuild/native';
import type { Selector } from '@tsbuild/solver';
import { openExact, typeOf, withFd } from '../rootfs/open.js';
import { joinRaw, type RawPath, rawPath } from '../rootfs/raw-path.js';
import { FieldHash } from './encode.js';
import { digestKept, encodeManifest, type FileEntry, type Manifests } from './manifest.js';
import { type Selection, selectCopy, selectRequired } from './select.js';
import type { Tree } from './tree.js';

const { S_IFREG, S_IFLNK, S_IFCHR, S_IFBLK, S_IFSOCK } = native.constants;

/** Raised whenever the encoding changes: digests are kept in the store. */
export const contentDigestVersion = 1;

/** sha256 of regular files of a tree, 32 bytes each; the stats are those that selected them. */
export type HashFiles = (files: { path: RawPath; stat: Stat }[]) => Promise<Buffer[]>;

/** Reads every file. */
export function hashWithoutCache(tree: Tree, signal: AbortSignal): HashFiles {
  return async (files) => {
    const digests = await native.hashFiles(
      tree.root,
      files.map(({ path }) => Buffer.from(path, 'latin1')),
      signal,
    );
    return files.map((_, index) => digests.subarray(index * 32, index * 32 + 32));
  };
}

/**
 * @param manifests keeps the list of the files, for explanations
 * @throws TsbuildError TSB_CONTEXT_NOT_FOUND when a path without wildcards is missing
 */
export async function digestSelector(
  tree: Tree,
  selector: Selector,
  hashFiles: HashFiles,
  signal: AbortSignal,
  manifests?: Manifests,
): Promise<Digest> {
  if (selector.type === 'path') {
    const selection = await selectRequired(tree, rawPath(selector.path), {}, true, signal);
    return digestSelections(
      tree,
      [selection],
      { ownerZero: tree.ignore !== undefined, wholeRoot: true },
      hashFiles,
      manifests,
    );
  }
  const selections = await selectCopy(tree, selector.action, true, signal);
  return digestSelections(
    tree,
    selections,
    { ownerZero: selector.action.ownerZero, wholeRoot: false },
    hashFiles,
    manifests,
  );
}

interface DigestOptions {
  /** Owners count as 0:0 (files of a context). */
  ownerZero: boolean;
  /** Whether a source directory's own mode, owner and attributes count: COPY does not carry them over. */
  wholeRoot: boolean;
}

interface Item {
  name: RawPath;
  path: RawPath;
  stat: Stat;
  link?: Uint8Array | undefined;
  xattrs: Xattr[];
  /** Not copied with its attributes. */
  bare: boolean;
}

async function digestSelections(
  tree: Tree,
  selections: Selection[],
  options: DigestOptions,
  hashFiles: HashFiles,
  manifests: Manifests | undefined,
): Promise<Digest> {
  const groups = selections.map((selection) => itemsOf(tree, selection, options));
  const files = groups.flat().filter((item) => typeOf(item.stat) === S_IFREG);
  const digests = await hashFiles(files);
  const dataOf = new Map(files.map((item, index) => [item, digests[index] as Buffer]));
  const hash = new FieldHash().number(contentDigestVersion).number(groups.length);
  for (const [index, items] of groups.entries()) {
    // Hard links are kept among the files of one copy operation.
    const firstNames = new Map<string, RawPath>();
    hash.text((selections[index] as Selection).name, 'latin1').number(items.length);
    for (const item of items) addItem(hash, item, dataOf.get(item), options, firstNames);
  }
  const digest = hash.digest();
  manifests?.keep(digest, () =>
    encodeManifest(
      selections.map(({ name, path }, index) => {
        const items = groups[index] as Item[];
        return { name, path, count: items.length, entries: entriesOf(items, dataOf, options) };
      }),
    ),
  );
  return digest;
}

/** What addItem puts into the digest, as a list's entries. */
function* entriesOf(
  items: readonly Item[],
  dataOf: ReadonlyMap<Item, Buffer>,
  { ownerZero }: DigestOptions,
): Generator<FileEntry> {
  const firstNames = new Map<string, RawPath>();
  for (const item of items) {
    const { stat, name, bare } = item;
    const type = typeOf(stat);
    const data = dataOf.get(item);
    const isDevice = type === S_IFCHR || type === S_IFBLK;
    yield {
      name,
      bare,
      type,
      mode: bare ? 0 : type === S_IFLNK ? 0o777 : stat.mode & 0o7777,
      uid: bare || ownerZero ? 0 : stat.uid,
      gid: bare || ownerZero ? 0 : stat.gid,
      xattrs: bare ? '' : xattrsDigest(item.xattrs),
      link: type === S_IFLNK ? Buffer.from(item.link ?? []).toString('latin1') : '',
      device: isDevice ? `${stat.rdevMajor}:${stat.rdevMinor}` : '',
      size: data === undefined ? 0 : stat.size,
      data: data?.toString('latin1', 0, digestKept) ?? '',
      firstName: bare ? '' : firstNameOf(item, firstNames),
    };
  }
}

function xattrsDigest(all: readonly Xattr[]): string {
  const counted = all.filter(({ name }) => countsAsContent(name));
  if (counted.length === 0) return '';
  const hash = new FieldHash();
  for (const { name, value } of counted) hash.text(name).bytes(value);
  return hash.digest().slice('sha256:'.length, 'sha256:'.length + digestKept);
}

/** Under which name the same file came first; '' for what has one name. */
function firstNameOf({ stat, name }: Item, firstNames: Map<string, RawPath>): RawPath {
  if (stat.nlink <= 1 || typeOf(stat) === native.constants.S_IFDIR) return '' as RawPath;
  const inode = `${stat.devMajor}:${stat.devMinor}:${stat.ino}`;
  const first = firstNames.get(inode);
  if (first === undefined) firstNames.set(inode, name);
  return first ?? ('' as RawPath);
}

function itemsOf(tree: Tree, selection: Selection, options: DigestOptions): Item[] {
  const own: Item = {
    name: '' as RawPath,
    path: selection.path,
    stat: selection.stat,
    xattrs: withFd(
      openExact(tree.root, selection.path, native.constants.O_PATH | native.constants.O_NOFOLLOW),
      (fd) => native.listXattrs(fd, ''),
    ),
    bare: typeOf(selection.stat) === native.constants.S_IFDIR && !options.wholeRoot,
  };
  const below = selection.entries
    .filter((entry) => typeOf(entry) !== S_IFSOCK)
    .map(
      (entry): Item => ({
        name: entry.raw,
        path: joinRaw(selection.path, entry.raw),
        stat: entry,
        link: entry.link,
        xattrs: entry.xattrs ?? [],
        bare: false,
      }),
    );
  return [own, ...below];
}

function addItem(
  hash: FieldHash,
  item: Item,
  data: Buffer | undefined,
  options: DigestOptions,
  firstNames: Map<string, RawPath>,
): void {
  const { stat } = item;
  const type = typeOf(stat);
  hash.text(item.name, 'latin1').number(type);
  if (item.bare) return;
  hash.number(type === S_IFLNK ? 0o777 : stat.mode & 0o7777);
  hash.number(options.ownerZero ? 0 : stat.uid).number(options.ownerZero ? 0 : stat.gid);
  const xattrs = item.xattrs.filter(({ name }) => countsAsContent(name));
  hash.number(xattrs.length);
  for (const { name, value } of xattrs) hash.text(name).bytes(value);
  if (type === S_IFLNK) hash.bytes(item.link ?? Buffer.alloc(0));
  if (type === S_IFCHR || type === S_IFBLK) hash.number(stat.rdevMajor).number(stat.rdevMinor);
  if (data !== undefined) hash.number(stat.size).bytes(data);
  hash.text(firstNameOf(item, firstNames), 'latin1');
}

/** security.capability, and what is neither the kernel's (system.*, security.*) nor overlayfs' own. */
function countsAsContent(name: string): boolean {
  if (name === 'security.capability') return true;
  return !/^(?:security|system|trusted)\.|^user\.overlay\./.test(name);
}
