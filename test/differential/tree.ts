/** Writes the folders of a case, with modes, links and times exactly as the table says. */
import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, lutimesSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Node, Tree } from './types.js';

/** Modification time of everything in contexts, seconds since 1970: 2001-09-09. */
export const fixedTime = 1_000_000_000;

/** @param expand replaces the words of the table in texts */
export function writeTree(folder: string, tree: Tree, expand: (text: string) => string): void {
  mkdirSync(folder, { recursive: true });
  const made: [path: string, mtime: number][] = [[folder, fixedTime]];
  const modes: [path: string, mode: number][] = [[folder, 0o755]];
  const parents = new Set<string>();
  for (const [name, node] of Object.entries(tree)) {
    const path = join(folder, name);
    for (let parent = dirname(path); parent !== folder && !parents.has(parent); parent = dirname(parent)) {
      parents.add(parent);
      made.push([parent, fixedTime]);
      if (tree[parent.slice(folder.length + 1)] === undefined) modes.push([parent, 0o755]);
    }
    mkdirSync(dirname(path), { recursive: true });
    const mode = writeNode(folder, path, node, expand);
    if (mode !== undefined) modes.push([path, mode]);
    made.push([
      path,
      typeof node === 'string' || node instanceof Uint8Array ? fixedTime : (node.mtime ?? fixedTime),
    ]);
  }
  const deepestFirst = <T>(list: [string, T][]) => list.sort((a, b) => b[0].length - a[0].length);
  for (const [path, mtime] of deepestFirst(made)) lutimesSync(path, mtime, mtime);
  for (const [path, mode] of deepestFirst(modes)) chmodSync(path, mode);
}

/** @returns the mode to set at the end; undefined for links */
function writeNode(
  folder: string,
  path: string,
  node: Node,
  expand: (text: string) => string,
): number | undefined {
  if (typeof node === 'string' || node instanceof Uint8Array)
    return writeNode(folder, path, { text: node }, expand);
  if (node.hard !== undefined) {
    linkSync(join(folder, node.hard), path);
    return undefined;
  }
  if (node.link !== undefined) {
    symlinkSync(node.link, path);
    return undefined;
  }
  if (node.fifo) execFileSync('mkfifo', [path]);
  else if (node.text === undefined) mkdirSync(path, { recursive: true });
  else writeFileSync(path, typeof node.text === 'string' ? expand(node.text) : node.text);
  for (const [key, value] of Object.entries(node.xattrs ?? {})) {
    execFileSync('setfattr', ['-n', key, '-v', value, path]);
  }
  return node.mode ?? (node.text === undefined && !node.fifo ? 0o755 : 0o644);
}
