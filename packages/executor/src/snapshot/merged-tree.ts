/** A chain of diffs put together as plain data, and made into a real tree without overlayfs. */
import * as native from '@tsbuild/native';
import type { Fd, Stat } from '@tsbuild/native';
import { isDirectory, isWhiteoutDevice, joinPath } from './diff-dir.js';
import type { DiffRoot } from './diff-dir.js';
import { copyDirMetadata } from './metadata.js';

const { O_PATH, O_DIRECTORY, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, S_IFMT, S_IFSOCK } = native.constants;

/** An entry of the merged tree; paths are latin1, relative. */
export interface MergedEntry {
  path: string;
  stat: Stat;
  /** Index of the diff whose entry shows. */
  layer: number;
}

interface Node extends MergedEntry {
  children: Map<string, Node>;
}

function newNode(path: string, stat: Stat, layer: number): Node {
  return { path, stat, layer, children: new Map() };
}

function splitPath(path: string): [directory: string, name: string] {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? ['', path] : [path.slice(0, slash), path.slice(slash + 1)];
}

/** Descriptor of a directory below a root; links are not followed. The caller closes it. */
export function openBelow(root: Fd, path: string): Fd {
  const flags = O_PATH | O_DIRECTORY;
  const bytes = path === '' ? '.' : Buffer.from(path, 'latin1');
  return native.openat2(root, bytes, flags, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

/**
 * Entries that the chain (bottom first) shows, each directory before its content. The first one is the root, with
 * path ''.
 */
export async function mergeDiffs(diffs: readonly DiffRoot[], signal?: AbortSignal): Promise<MergedEntry[]> {
  const [first] = diffs;
  if (first === undefined) return [];
  let root = newNode('', native.stat(first.fd, ''), 0);
  const at = (path: string): Node | undefined =>
    path === ''
      ? root
      : path.split('/').reduce<Node | undefined>((node, name) => node?.children.get(name), root);
  for (const [layer, diff] of diffs.entries()) {
    const opaqueRoot = diff.marks?.opaque.has('') === true || hasOpaque(native.listXattrs(diff.fd, ''));
    root = {
      ...newNode('', native.stat(diff.fd, ''), layer),
      children: opaqueRoot ? new Map() : root.children,
    };
    for (const [directory, names] of diff.marks?.whiteouts ?? []) {
      for (const name of names) at(directory)?.children.delete(name);
    }
    for (const entry of await native.walk(diff.fd, '', { xattrs: true }, signal)) {
      const path = entry.path.toString('latin1');
      const [directory, name] = splitPath(path);
      const siblings = at(directory)?.children;
      if (siblings === undefined) throw new Error(`diff ${layer}: ${path} has no parent`);
      const below = siblings.get(name);
      if (isWhiteoutDevice(entry)) {
        siblings.delete(name);
        continue;
      }
      const node = newNode(path, entry, layer);
      const opaque = diff.marks?.opaque.has(path) === true || hasOpaque(entry.xattrs ?? []);
      if (isDirectory(entry) && below !== undefined && isDirectory(below.stat) && !opaque)
        node.children = below.children;
      siblings.set(name, node);
    }
  }
  return flatten(root);
}

function hasOpaque(xattrs: readonly native.Xattr[]): boolean {
  return xattrs.some(
    ({ name, value }) => /^(?:trusted|user)\.overlay\.opaque$/.test(name) && value.toString() === 'y',
  );
}

function flatten(root: Node): MergedEntry[] {
  const entries: MergedEntry[] = [];
  const stack: Node[] = [root];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    const { path, stat, layer } = node;
    entries.push({ path, stat, layer });
    const children = [...node.children.keys()].sort().reverse();
    for (const name of children) stack.push(node.children.get(name) as Node);
  }
  return entries;
}

/**
 * Makes the merged tree below a directory, whose metadata become those of the merged root. With `links`, files
 * are hard links of the snapshots' files: only for a tree that nobody writes to.
 */
export async function buildMergedTree(
  diffs: readonly DiffRoot[],
  destination: Fd,
  options: { links: boolean; signal?: AbortSignal | undefined },
): Promise<void> {
  const entries = await mergeDiffs(diffs, options.signal);
  const folders = entries.filter((entry) => isDirectory(entry.stat));
  for (const { path } of folders) {
    if (path === '') continue;
    const [directory, name] = splitPath(path);
    withDirectory(destination, directory, (fd) => native.mkdirat(fd, Buffer.from(name, 'latin1'), 0o700));
  }
  for (const [layer, diff] of diffs.entries()) {
    const files = entries.filter((entry) => entry.layer === layer && !isDirectory(entry.stat));
    const rest = options.links ? linkFiles(diff.fd, destination, files) : files;
    const items = rest
      .filter((entry) => (entry.stat.mode & S_IFMT) !== S_IFSOCK)
      .map(({ path }) => Buffer.from(path, 'latin1'))
      .map((path) => ({ source: path, destination: path }));
    await native.copyFiles(diff.fd, destination, items, { xattrs: true }, options.signal);
  }
  for (const { path, stat, layer } of folders.reverse()) {
    const source = (diffs[layer] as DiffRoot).fd;
    withDirectory(source, path, (from) =>
      withDirectory(destination, path, (to) => copyDirMetadata(from, stat, to)),
    );
  }
}

/** Returns the files that could not be linked (too many links, or a file system without). */
function linkFiles(source: Fd, destination: Fd, files: readonly MergedEntry[]): MergedEntry[] {
  return files.filter(({ path }) => {
    const [directory, name] = splitPath(path);
    const bytes = Buffer.from(name, 'latin1');
    try {
      withDirectory(source, directory, (from) =>
        withDirectory(destination, directory, (to) => native.linkat(from, bytes, to, bytes)),
      );
      return false;
    } catch (error) {
      if (['EMLINK', 'EPERM', 'ENOTSUP', 'EXDEV'].includes((error as NodeJS.ErrnoException).code ?? ''))
        return true;
      throw error;
    }
  });
}

/** Calls `use` with a directory below a root. */
export function withDirectory<T>(root: Fd, path: string, use: (fd: Fd) => T): T {
  const fd = openBelow(root, path);
  try {
    return use(fd);
  } finally {
    native.close(fd);
  }
}

export { joinPath, splitPath };
