/** Changed files in words: `src/app.js content changed; 2 files added (a.txt, b.txt)`. */
import type { CacheCause, FileChange } from '@tsbuild/core';

export interface FileDifference {
  /** The first of them. */
  files: FileChange[];
  /** How many of each there are. */
  counts: Readonly<Record<FileChange['change'], number>>;
}

/** Names in a line of text. */
const named = 5;
/** Changed files that are told with what changed of them. */
const detailed = 3;

/** @param source what selects the files, for where nothing is known of them */
export function filesText(
  difference: FileDifference | undefined,
  source: string,
): Pick<CacheCause, 'text' | 'files' | 'fileCount'> {
  if (difference === undefined)
    return { text: `the files of ${source} changed (there is no list of the earlier ones)` };
  const { files, counts } = difference;
  const of = (change: FileChange['change']) => files.filter((file) => file.change === change);
  const parts = [
    ...changed(of('changed'), counts.changed),
    ...list(of('added'), counts.added, 'added'),
    ...list(of('removed'), counts.removed, 'removed'),
  ];
  const fileCount = counts.changed + counts.added + counts.removed;
  const text =
    parts.length === 0 ? 'its files are found in another order or by other names' : parts.join('; ');
  return { text, files, ...(fileCount > files.length ? { fileCount } : {}) };
}

function changed(files: readonly FileChange[], count: number): string[] {
  if (count > detailed) return list(files, count, 'changed');
  return files.map(({ path, aspects = [] }) => `${shown(path)} ${join(aspects)} changed`);
}

function list(files: readonly FileChange[], count: number, what: string): string[] {
  if (count === 0) return [];
  const [first] = files;
  if (count === 1 && first !== undefined) return [`${shown(first.path)} ${what}`];
  const names = files.slice(0, named).map(({ path }) => shown(path));
  return [`${count} files ${what} (${[...names, ...(count > names.length ? ['…'] : [])].join(', ')})`];
}

function join(words: readonly string[]): string {
  return words.length < 2 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

/** Names with control characters would break the line. */
function shown(path: string): string {
  return /[\p{Cc}\u2028\u2029]/u.test(path) ? JSON.stringify(path) : path;
}
