/** The small files: the format's version, the layout's marker, the names, and the index below cache/. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { hexOf, isDigest, sha256 } from '@tsbuild/core';
import { isWholeIndexFile } from '@tsbuild/executor';
import { decodeRecord, isDescriptor } from '../cache-store.js';
import { folders, layoutText, version } from '../layout.js';
import { acquireLock } from '../lock.js';
import { parseRecord } from '../record-file.js';
import type { Examination } from './finding.js';

const miss = 'builds pass it over and make what it was about again';

export function checkMarkers({ store: { root }, fault }: Examination): void {
  for (const folder of folders) {
    const path = join(root, folder);
    if (isFolder(path)) continue;
    const repair = () => {
      fs.rmSync(path, { force: true });
      fs.mkdirSync(path, { recursive: true, mode: 0o711 });
    };
    fault(path, 'the folder is gone', 'what was in it is lost; builds make it anew', {
      repair,
      anyway: true,
    });
  }
  for (const [name, text] of [
    ['version', `${version}\n`],
    ['oci/oci-layout', layoutText],
  ] as const) {
    const path = join(root, name);
    if (readText(path) === text) continue;
    fault(path, 'it is damaged or gone', 'it marks the folder for tsbuild and other tools', {
      repair: () => fs.writeFileSync(path, text),
      anyway: true,
    });
  }
}

/** @returns whether the names can be read */
export async function checkNames({ store, signal, fault, leftover }: Examination): Promise<boolean> {
  const path = join(store.root, 'oci/index.json');
  const backup = join(store.root, 'oci/index.backup.json');
  // Writers change both, one after the other.
  const lock = await acquireLock(join(store.root, 'locks/index.json.lock'), 'exclusive', signal);
  const [text, copy] = [readText(path), readText(backup)];
  lock.release();
  if (text === undefined && copy === undefined) return true;
  const body = copy?.slice(65) ?? '';
  const copyIsWhole = copy !== undefined && copy.slice(0, 65) === `${hexOf(sha256(body))}\n`;
  if (copyIsWhole && body === text) return true;
  const isReadable = isIndex(text);
  const rewrite = () => store.tags.rewrite();
  if (!copyIsWhole) {
    fault(
      backup,
      'the copy of the list of names is damaged or gone',
      'names could be lost with the next damage',
      {
        repair: isReadable ? rewrite : () => moveAway(path, backup),
        anyway: true,
      },
    );
  }
  if (!isReadable) {
    fault(
      path,
      'the list of names is damaged or gone',
      copyIsWhole ? 'its copy is used' : 'the names of the images are lost',
      {
        ...(copyIsWhole ? { repair: rewrite, anyway: true } : {}),
      },
    );
  } else if (copyIsWhole) {
    const told = isDamaged(store.root, text, body) ? fault : leftover;
    const why = 'its writer was killed, another tool changed it, or it is damaged';
    const rest = { repair: rewrite, anyway: true };
    if (told === fault)
      fault(path, 'it is not as it was written last', `${why}; its copy has what it lacks`, rest);
    else leftover(path, `it is not as it was written last: ${why}`, rest);
  }
  return isReadable || copyIsWhole;
}

/** Whether a name stands for something that is not there, and for something that is there in the copy. */
function isDamaged(root: string, text: string | undefined, copy: string): boolean {
  const isThere = (entry: { digest?: unknown }) =>
    isDigest(entry.digest) && fs.existsSync(join(root, 'oci/blobs/sha256', hexOf(entry.digest)));
  const missing = (index: string) =>
    (JSON.parse(index) as { manifests: { digest?: unknown }[] }).manifests.filter((entry) => !isThere(entry))
      .length;
  return missing(text ?? '') > missing(copy);
}

function moveAway(path: string, backup: string): void {
  fs.rmSync(backup, { force: true });
  if (fs.existsSync(path)) fs.renameSync(path, `${path}.damaged`);
}

function isIndex(text: string | undefined): boolean {
  try {
    return Array.isArray((JSON.parse(text ?? '') as { manifests?: unknown }).manifests);
  } catch {
    return false;
  }
}

export function checkIndex(examination: Examination): void {
  const { store, checked, fault, leftover } = examination;
  const cache = join(store.root, 'cache');
  for (const folder of namesIn(cache)) {
    const parent = join(cache, folder);
    if (!isFolder(parent)) {
      fault(parent, 'a file where a folder of the index belongs', miss, { repair: () => fs.rmSync(parent) });
      continue;
    }
    for (const name of namesIn(parent)) {
      const path = join(parent, name);
      const repair = () => fs.rmSync(path, { force: true, recursive: true });
      if (name.endsWith('.tmp')) {
        // A live writer takes no time for it.
        if (ageMs(path) > 60_000) leftover(path, 'an unfinished file', { repair });
        continue;
      }
      checked.records++;
      const wrong = whatIsWrong(examination, folder, name, path);
      // What is gone by now was dropped by a build that found it damaged.
      if (wrong !== undefined && fs.existsSync(path)) fault(path, wrong, miss, { repair });
    }
  }
}

function whatIsWrong({ store }: Examination, folder: string, name: string, path: string): string | undefined {
  if (['content', 'files', 'stat'].includes(folder))
    return isWholeIndexFile(folder, path) ? undefined : 'it is damaged';
  const text = readText(path) ?? '';
  if (folder === 'http') return isDownload(text) ? undefined : 'it is damaged';
  const value = parseRecord(text);
  if (value === undefined) return 'its checksum does not fit';
  if (folder === 'names') {
    const { name: image, descriptor } = value as { name?: unknown; descriptor?: unknown };
    const fits = typeof image === 'string' && isDescriptor(descriptor) && hexOf(sha256(image)) === name;
    return fits ? undefined : 'it is of another form, or has another name';
  }
  if (folder === 'layers' || folder === 'blobs') {
    return isDigest((value as { digest?: unknown }).digest) ? undefined : 'it is of another form';
  }
  if (folder !== 'steps') return undefined;
  const record = decodeRecord(value);
  if (record === undefined) return 'it is of another form';
  if (hexOf(record.key) !== name) return 'it is the record of another key';
  // Layers that have a blob can be fetched and unpacked.
  const gone = record.ref.layers.filter(
    ({ snapshot, blob }) => blob === undefined && !isFolder(join(store.root, 'snapshots', snapshot)),
  );
  return gone.length === 0
    ? undefined
    : `it names snapshots that are gone: ${gone.map(({ snapshot }) => snapshot).join(', ')}`;
}

function isDownload(text: string): boolean {
  try {
    const { sum, known } = JSON.parse(text) as { sum?: unknown; known?: unknown };
    return sum === sha256(JSON.stringify(known));
  } catch {
    return false;
  }
}

export function readText(path: string): string | undefined {
  try {
    return fs.readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** Names in a folder; none where it is gone. */
export function namesIn(folder: string): string[] {
  try {
    return fs.readdirSync(folder).sort();
  } catch {
    return [];
  }
}

export function isFolder(path: string): boolean {
  return fs.lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

export function ageMs(path: string): number {
  return Date.now() - (fs.lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
}
