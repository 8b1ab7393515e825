/** Checks of what the executor keeps in the store, for fsck. Reads only. */
import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import * as native from '@tsbuild/native';
import type { WalkEntry } from '@tsbuild/native';
import { decodeManifest as decodeList } from './content/manifest.js';
import { isWholeMemo } from './content/memo.js';
import { isWholeStatCache } from './content/stat-cache.js';
import { sideFileName } from './snapshot/diff-dir.js';
import { digestManifest, readManifest } from './snapshot/manifest.js';
import { bootId, readMeta, syncedMark } from './snapshot/meta.js';

export interface SnapshotCheck {
  /** What is wrong; undefined for a snapshot that builds may use. */
  fault?: string;
  /** Its data may have been lost when the machine went down: no build uses it. */
  stale?: boolean;
  /** Names, modes, sizes, times and attributes of its files were compared with what was noted when it was made. */
  compared?: boolean;
}

/** @param folder of the snapshot */
export async function checkSnapshot(folder: string, signal: AbortSignal): Promise<SnapshotCheck> {
  const meta = readMeta(folder);
  if (meta === undefined)
    return { fault: existsSync(`${folder}/meta.json`) ? 'meta.json is damaged' : 'meta.json is gone' };
  if (!lstatSync(`${folder}/fs`, { throwIfNoEntry: false })?.isDirectory())
    return { fault: 'its folder fs is gone' };
  if (meta.bootId !== bootId() && !existsSync(`${folder}/${syncedMark}`)) return { stale: true };
  if (meta.sideFile && !isJson(`${folder}/${sideFileName}`))
    return { fault: `${sideFileName} is damaged or gone` };
  const manifest = readManifest(folder);
  if (manifest === undefined) return {};
  if (manifest === 'damaged') return { fault: 'its manifest is damaged' };
  const found = await digestManifest(folder, signal);
  if (found.digest === manifest.digest) return { compared: true };
  return found.files === manifest.files
    ? { fault: 'files in it are not as they were made' }
    : { fault: `it has ${found.files} files and had ${manifest.files}` };
}

function isJson(path: string): boolean {
  try {
    JSON.parse(readFileSync(path, 'utf8'));
    return true;
  } catch {
    return false;
  }
}

/** Whether a file of cache/content, cache/files or cache/stat can be used. */
export function isWholeIndexFile(folder: string, path: string): boolean {
  let content: Buffer;
  try {
    content = readFileSync(path);
  } catch {
    return false;
  }
  if (folder === 'content') return isWholeMemo(basename(path), content.toString('utf8'));
  if (folder === 'files') return isWholeList(content);
  return isWholeStatCache(content);
}

function isWholeList(content: Buffer): boolean {
  try {
    return decodeList(content) !== undefined;
  } catch {
    return false;
  }
}

/** How many files of two snapshots differ, data included; hard links, times and names of the overlay's own count too. */
export async function countDifferences(a: string, b: string, signal: AbortSignal): Promise<number> {
  const [left, right] = await Promise.all([a, b].map((folder) => listTree(`${folder}/fs`, signal)));
  let differences = 0;
  for (const [path, text] of left ?? []) if (right?.get(path) !== text) differences++;
  for (const path of right?.keys() ?? []) if (!left?.has(path)) differences++;
  return differences;
}

async function listTree(folder: string, signal: AbortSignal): Promise<Map<string, string>> {
  const { O_RDONLY, O_DIRECTORY, S_IFMT, S_IFREG } = native.constants;
  const fd = native.openat2(native.AT_FDCWD, folder, O_RDONLY | O_DIRECTORY, 0, 0);
  try {
    const entries = await native.walk(fd, '', { xattrs: true }, signal);
    const files = entries.filter(({ mode }) => (mode & S_IFMT) === S_IFREG);
    const digests = await native.hashFiles(
      fd,
      files.map(({ path }) => path),
      signal,
    );
    const dataOf = new Map(files.map((file, at) => [file, digests.toString('hex', at * 32, at * 32 + 32)]));
    return new Map(
      entries.map((entry) => [entry.path.toString('latin1'), describe(entry, dataOf.get(entry))]),
    );
  } finally {
    native.close(fd);
  }
}

function describe(entry: WalkEntry, data: string | undefined): string {
  const { mode, uid, gid, rdevMajor, rdevMinor, link } = entry;
  const xattrs = entry.xattrs?.map(({ name, value }) => [name, value.toString('latin1')]);
  const size = data === undefined ? 0 : entry.size;
  return JSON.stringify([mode, uid, gid, size, rdevMajor, rdevMinor, link?.toString('latin1'), xattrs, data]);
}
