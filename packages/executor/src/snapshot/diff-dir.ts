/**
 * The format of a diff: what overlayfs keeps in an upper directory.
 *
 * - An entry of the diff replaces the lower layers' entry of that name; a directory is merged with a lower directory.
 * - A character device 0:0 is a whiteout: the name is gone.
 * - A directory with the attribute trusted.overlay.opaque (or user.overlay.opaque, in a user namespace) = "y" hides
 *   all lower entries below it.
 * - Where a file system or kernel lets us make neither, the file `whiteouts.json` beside the diff's root lists the
 *   same facts: {"whiteouts": [path…], "opaque": [path…]}. Paths are relative; each character is one byte (latin1).
 *   Such diffs can only be read by the copying snapshotter.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import * as native from '@tsbuild/native';
import type { Fd, Stat } from '@tsbuild/native';

const { O_PATH, O_DIRECTORY, O_NOFOLLOW, RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH, S_IFMT, S_IFCHR, S_IFDIR } =
  native.constants;

export const sideFileName = 'whiteouts.json';

/** The attribute that makes a directory opaque. */
export function opaqueAttribute(userxattr: boolean): string {
  return userxattr ? 'user.overlay.opaque' : 'trusted.overlay.opaque';
}

/** Facts of whiteouts.json. */
interface SideMarks {
  /** Names by directory (latin1, '' is the root). */
  whiteouts: Map<string, Set<string>>;
  opaque: Set<string>;
}

/** A directory of a diff. */
export interface DiffDir {
  readonly fd: Fd;
  /** Path from the diff's root, latin1, without a leading slash; '' is the root. */
  readonly path: string;
  readonly marks: SideMarks | undefined;
}

/** The root of a diff. `close` closes only this descriptor. */
export interface DiffRoot extends DiffDir {
  close(): void;
}

export interface DiffEntry {
  name: Buffer;
  whiteout: boolean;
  /** Undefined for whiteouts. */
  stat: Stat | undefined;
}

export function isDirectory(stat: Stat): boolean {
  return (stat.mode & S_IFMT) === S_IFDIR;
}

export function isWhiteoutDevice(stat: Stat): boolean {
  return (stat.mode & S_IFMT) === S_IFCHR && stat.rdevMajor === 0 && stat.rdevMinor === 0;
}

/** Path of a name in a directory, both latin1. */
export function joinPath(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}

/** Opens the diff that is kept in folder/fs. */
export function openDiffRoot(folder: string): DiffRoot {
  const fd = native.openat2(native.AT_FDCWD, `${folder}/fs`, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, 0);
  try {
    return { fd, path: '', marks: readSideMarks(folder), close: () => native.close(fd) };
  } catch (error) {
    native.close(fd);
    throw error;
  }
}

/** Opens a directory of a diff; the caller closes it. The name must be one of a directory. */
export function openDiffDir(parent: DiffDir, name: Buffer): DiffDir {
  const flags = O_PATH | O_DIRECTORY | O_NOFOLLOW;
  const fd = native.openat2(parent.fd, name, flags, 0, RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH);
  return { fd, path: joinPath(parent.path, name.toString('latin1')), marks: parent.marks };
}

/** Entries of a directory, sorted by bytes, whiteouts of both kinds among them. */
export function readDiffDir(dir: DiffDir): DiffEntry[] {
  const entries: DiffEntry[] = native.readdir(dir.fd).map(({ name }) => {
    const stat = native.stat(dir.fd, name);
    const whiteout = isWhiteoutDevice(stat);
    return { name, whiteout, stat: whiteout ? undefined : stat };
  });
  const marked = dir.marks?.whiteouts.get(dir.path);
  if (marked === undefined) return entries;
  for (const name of marked) {
    const bytes = Buffer.from(name, 'latin1');
    if (!entries.some((entry) => entry.name.equals(bytes))) {
      entries.push({ name: bytes, whiteout: true, stat: undefined });
    }
  }
  return entries.sort((a, b) => Buffer.compare(a.name, b.name));
}

/** One entry of a directory, or undefined where the diff says nothing about the name. */
export function findInDiff(dir: DiffDir, name: Buffer): DiffEntry | undefined {
  const stat = native.statOrUndefined(dir.fd, name);
  if (stat !== undefined) {
    return isWhiteoutDevice(stat)
      ? { name, whiteout: true, stat: undefined }
      : { name, whiteout: false, stat };
  }
  const marked = dir.marks?.whiteouts.get(dir.path)?.has(name.toString('latin1')) ?? false;
  return marked ? { name, whiteout: true, stat: undefined } : undefined;
}

export function isOpaque(dir: DiffDir): boolean {
  if (dir.marks?.opaque.has(dir.path) === true) return true;
  return native
    .listXattrs(dir.fd, '')
    .some(({ name, value }) => /^(?:trusted|user)\.overlay\.opaque$/.test(name) && value.toString() === 'y');
}

function readSideMarks(folder: string): SideMarks | undefined {
  let text: string;
  try {
    text = readFileSync(`${folder}/${sideFileName}`, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const { whiteouts, opaque } = JSON.parse(text) as { whiteouts: string[]; opaque: string[] };
  const marks: SideMarks = { whiteouts: new Map(), opaque: new Set(opaque) };
  for (const path of whiteouts) {
    const slash = path.lastIndexOf('/');
    const directory = slash < 0 ? '' : path.slice(0, slash);
    const names = marks.whiteouts.get(directory) ?? new Set();
    marks.whiteouts.set(directory, names.add(path.slice(slash + 1)));
  }
  return marks;
}

/** Writes whiteouts and opaque marks into a diff, as devices and attributes where that is possible. */
export class MarkWriter {
  readonly #attribute: string;
  readonly #whiteouts: string[] = [];
  readonly #opaque: string[] = [];

  /** @param sideFileOnly never make devices and attributes */
  constructor(
    userxattr: boolean,
    private readonly sideFileOnly = false,
  ) {
    this.#attribute = opaqueAttribute(userxattr);
  }

  whiteout(dirfd: Fd, directory: Buffer, name: Buffer): void {
    if (!this.#try(() => native.mknodat(dirfd, name, S_IFCHR, 0, 0))) {
      this.#whiteouts.push(joinPath(directory.toString('latin1'), name.toString('latin1')));
    }
  }

  opaque(dirfd: Fd, directory: Buffer): void {
    if (!this.#try(() => native.setXattr(dirfd, '', this.#attribute, Buffer.from('y')))) {
      this.#opaque.push(directory.toString('latin1'));
    }
  }

  #try(work: () => void): boolean {
    if (this.sideFileOnly) return false;
    try {
      work();
      return true;
    } catch (error) {
      if (['EPERM', 'EACCES', 'ENOTSUP'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
      throw error;
    }
  }

  /** Writes whiteouts.json into the folder where it is needed. Returns whether it was. */
  finish(folder: string): boolean {
    if (this.#whiteouts.length + this.#opaque.length === 0) return false;
    const text = JSON.stringify({ whiteouts: this.#whiteouts, opaque: this.#opaque });
    writeFileSync(`${folder}/${sideFileName}`, text, { flag: 'wx' });
    return true;
  }
}
