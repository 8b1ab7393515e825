/**
 * Writes the entries of an archive below a root descriptor: layers (with whiteouts) into a merged view of the layers
 * below, and ADD's archives into a directory. The archive is hostile: every path is resolved below the root
 * (openat2 RESOLVE_IN_ROOT), every change is made by a descriptor of its parent, and no link is followed at the end.
 *
 * Order per entry: data, owner, mode, attributes, times; times of directories when all else is done.
 */
import { ftruncateSync, writeSync } from 'node:fs';
import { TsbuildError } from '@tsbuild/core';
import * as native from '@tsbuild/native';
import type { Fd, Stat } from '@tsbuild/native';
import { mkdirAll } from '../rootfs/mkdir-all.js';
import { hasCode, isDirectory, isMissing, openDirectory, openInRoot, typeOf } from '../rootfs/open.js';
import {
  baseOf,
  bytesOf,
  cleanInRoot,
  joinRaw,
  parentOf,
  type RawPath,
  rawPath,
  textOf,
} from '../rootfs/raw-path.js';
import { changeOwner } from '../rootfs/owner.js';
import { resolveInRoot } from '../rootfs/resolve.js';
import type { ByteReader } from './byte-reader.js';
import { truncated } from './byte-reader.js';
import { type ReadEntry, readTar } from './tar-reader.js';
import { isHole } from './zeros.js';

const { O_PATH, O_DIRECTORY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, S_IFCHR, S_IFBLK, S_IFIFO, S_IFLNK } =
  native.constants;

export interface ApplyOptions {
  /**
   * - layer: names `.wh.*` remove what the layers below have; links and `..` stop at the root.
   * - archive (of ADD): `.wh.*` are ordinary names; what would leave the root is refused; the entry of the root is ignored.
   */
  kind: 'layer' | 'archive';
  /** Owner of everything, instead of the archive's. */
  owner?: { uid: number; gid: number } | undefined;
}

const whiteoutPrefix = '.wh.';
const opaqueMarker = '.wh..wh..opq';
/** Parents that are kept open; archives list a directory's entries one after another. */
const maxOpenParents = 64;

/** Applies all entries; the reader is then at the end of the archive. */
export async function applyTar(reader: ByteReader, root: Fd, options: ApplyOptions): Promise<void> {
  const applier = new Applier(root, options);
  try {
    for await (const entry of readTar(reader)) await applier.apply(entry, reader);
    applier.finish();
  } finally {
    applier.close();
  }
}

class Applier {
  readonly #root: Fd;
  readonly #options: ApplyOptions;
  readonly #parents = new Map<RawPath, Fd>();
  /** Times of directories by path, set at the end. */
  readonly #directoryTimes = new Map<RawPath, bigint>();
  /** Paths this archive wrote: whiteouts do not touch them. */
  readonly #written = new Set<RawPath>();

  constructor(root: Fd, options: ApplyOptions) {
    this.#root = root;
    this.#options = options;
  }

  get #isLayer(): boolean {
    return this.#options.kind === 'layer';
  }

  async apply(entry: ReadEntry, reader: ByteReader): Promise<void> {
    const path = this.#pathOf(entry.name, 'entry');
    if (path === '') {
      if (this.#isLayer) this.#applyRoot(entry);
      else await reader.skip(dataSize(entry));
      return;
    }
    const name = baseOf(path);
    if (this.#isLayer && name.startsWith(whiteoutPrefix)) {
      await reader.skip(dataSize(entry));
      await this.#whiteout(parentOf(path), name);
      return;
    }
    const parent = this.#parent(parentOf(path));
    await this.#clearPlace(parent, path, entry);
    await this.#create(parent, path, entry, reader);
    if (this.#isLayer) this.#remember(path);
  }

  finish(): void {
    for (const [path, mtimeNs] of this.#directoryTimes) {
      try {
        this.#withDirectory(path, (fd) => native.utimesat(fd, '', mtimeNs, mtimeNs));
      } catch (error) {
        // A later entry put something else in its place.
        if (!hasCode(error, 'ENOENT') && !hasCode(error, 'ENOTDIR')) throw error;
      }
    }
  }

  close(): void {
    this.#forgetParents();
  }

  /** Layers made by any tool are read leniently; moby's archive package refuses names that climb above the root. */
  #pathOf(name: Buffer, what: 'entry' | 'link'): RawPath {
    const written = rawPath(name);
    if (!this.#isLayer && climbs(written)) {
      throw new TsbuildError(
        'TSB_INTEGRITY_BAD_ARCHIVE',
        `the archive has ${what === 'entry' ? 'an entry' : 'a hard link to a file'} outside of it: ${JSON.stringify(textOf(written))}`,
        {
          hint: 'The archive was made to write outside its directory, or by mistake; make it anew without "..".',
        },
      );
    }
    return cleanInRoot(written);
  }

  /** The layer's entry for its root, `./`: only ever a directory, never replaced. */
  #applyRoot(entry: ReadEntry): void {
    if (entry.type !== 'directory') {
      throw new TsbuildError(
        'TSB_INTEGRITY_BAD_ARCHIVE',
        'the archive has an entry for its root that is no directory',
        {
          hint: 'The archive was made to replace its own root; it is not safe to unpack.',
        },
      );
    }
    this.#attributes(this.#root, '', entry);
    this.#directoryTimes.set('' as RawPath, entry.mtimeNs);
  }

  #remember(path: RawPath): void {
    for (let at = path; at !== '' && !this.#written.has(at); at = parentOf(at)) this.#written.add(at);
  }

  #parent(path: RawPath): Fd {
    const known = this.#parents.get(path);
    if (known !== undefined) return known;
    const fd = this.#openOrMake(path);
    if (this.#parents.size >= maxOpenParents) this.#forgetParents();
    this.#parents.set(path, fd);
    return fd;
  }

  #forgetParents(): void {
    for (const fd of this.#parents.values()) native.close(fd);
    this.#parents.clear();
  }

  /** Directories that the archive does not list are made 0755, also where a link leads to one that is missing. */
  #openOrMake(path: RawPath): Fd {
    try {
      return openDirectory(this.#root, path);
    } catch (error) {
      if (!isMissing(error) && !hasCode(error, 'ELOOP')) throw error;
    }
    try {
      const exact = resolveInRoot(this.#root, path, {
        onEscape: this.#isLayer ? undefined : () => leadsOut(path),
      });
      mkdirAll(this.#root, exact, { mode: 0o755, uid: 0, gid: 0 });
      return openDirectory(this.#root, exact);
    } catch (error) {
      throw TsbuildError.is(error) && !error.code.startsWith('TSB_INTEGRITY')
        ? noDirectory(error, path)
        : error;
    }
  }

  #withDirectory<T>(path: RawPath, use: (fd: Fd) => T): T {
    const fd = openInRoot(this.#root, path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    try {
      return use(fd);
    } finally {
      native.close(fd);
    }
  }

  /** Removes what stands in the way; a directory that meets a directory stays. */
  async #clearPlace(parent: Fd, path: RawPath, entry: ReadEntry): Promise<void> {
    const bytes = bytesOf(baseOf(path));
    const present = native.statOrUndefined(parent, bytes);
    if (present === undefined || (isDirectory(present) && entry.type === 'directory')) return;
    await this.#remove(parent, bytes, present);
  }

  async #remove(parent: Fd, name: Buffer, present: Stat): Promise<void> {
    if (!isDirectory(present) && !isLink(present)) {
      native.unlinkat(parent, name);
      return;
    }
    // Descriptors that were opened below the directory or through the link lead to what is no longer there.
    const keep = new Map([...this.#parents].filter(([, fd]) => fd === parent));
    for (const [path, fd] of this.#parents) {
      if (keep.has(path)) continue;
      native.close(fd);
      this.#parents.delete(path);
    }
    await native.removeTree(parent, name);
  }

  async #create(parent: Fd, path: RawPath, entry: ReadEntry, reader: ByteReader): Promise<void> {
    const name = bytesOf(baseOf(path));
    switch (entry.type) {
      case 'directory':
        if (native.statOrUndefined(parent, name) === undefined) native.mkdirat(parent, name, 0o700);
        this.#directoryTimes.delete(path);
        this.#directoryTimes.set(path, entry.mtimeNs);
        break;
      case 'file':
        await writeFile(parent, name, entry, reader);
        break;
      case 'hardlink':
        this.#link(parent, name, entry);
        if (!this.#isLayer) this.#linkAttributes(parent, name, entry);
        return;
      case 'symlink':
        native.symlinkat(entry.linkname, parent, name);
        break;
      case 'char':
      case 'block':
      case 'fifo':
        if (!makeNode(parent, name, entry)) return;
        break;
    }
    this.#attributes(parent, name, entry);
    if (entry.type !== 'directory') native.utimesat(parent, name, entry.mtimeNs, entry.mtimeNs);
  }

  #link(parent: Fd, name: Buffer, entry: ReadEntry): void {
    const target = this.#pathOf(entry.linkname, 'link');
    try {
      const exact = resolveInRoot(this.#root, parentOf(target), {
        onEscape: this.#isLayer ? undefined : () => leadsOut(target),
      });
      const from = openDirectory(this.#root, exact);
      try {
        native.linkat(from, bytesOf(baseOf(target)), parent, name);
      } finally {
        native.close(from);
      }
    } catch (error) {
      if (!hasCode(error, 'ENOENT') && !hasCode(error, 'ENOTDIR')) throw error;
      const [to, at] = [textOf(target), textOf(cleanInRoot(rawPath(entry.name)))];
      throw new TsbuildError('TSB_INTEGRITY_BAD_ARCHIVE', `link /${to} /${at}: no such file or directory`, {
        hint: 'The archive has a hard link to a file that it does not hold.',
        cause: error,
      });
    }
  }

  /** An archive's link entry sets owner, mode and time of the file it leads to again, as go-archive does for ADD. */
  #linkAttributes(parent: Fd, name: Buffer, entry: ReadEntry): void {
    const { uid, gid } = this.#options.owner ?? entry;
    changeOwner(parent, name, uid, gid);
    const stat = native.statOrUndefined(parent, name);
    if (stat === undefined || isLink(stat)) return;
    native.chmodat(parent, name, entry.mode);
    native.utimesat(parent, name, entry.mtimeNs, entry.mtimeNs);
  }

  #attributes(dirfd: Fd, name: Buffer | string, entry: ReadEntry): void {
    const { uid, gid } = this.#options.owner ?? entry;
    changeOwner(dirfd, name, uid, gid);
    if (entry.type !== 'symlink') native.chmodat(dirfd, name, entry.mode);
    for (const { name: attribute, value } of entry.xattrs) {
      // trusted.* is the host's own business (overlayfs keeps its marks there), and so is the overlay's user.* form.
      if (attribute.startsWith('trusted.') || attribute.startsWith('user.overlay.')) continue;
      setAttribute(dirfd, name, attribute, value);
    }
  }

  async #whiteout(directory: RawPath, marker: RawPath): Promise<void> {
    const parent = this.#existing(directory);
    if (marker === opaqueMarker) {
      if (parent !== undefined) await this.#removeLower(directory);
      return;
    }
    const name = marker.slice(whiteoutPrefix.length);
    if (name === '' || name === '.' || name === '..') {
      throw new TsbuildError('TSB_INTEGRITY_BAD_ARCHIVE', `invalid whiteout name: ${textOf(marker)}`, {
        hint: 'The layer was made to remove files outside its root; it is not safe to unpack.',
      });
    }
    if (parent === undefined) return;
    const path = joinRaw(directory, name as RawPath);
    const present = native.statOrUndefined(parent, bytesOf(name as RawPath));
    if (present === undefined) return;
    if (!this.#written.has(path)) await this.#remove(parent, bytesOf(name as RawPath), present);
    else if (isDirectory(present)) await this.#removeLower(path);
  }

  #existing(path: RawPath): Fd | undefined {
    try {
      const known = this.#parents.get(path);
      if (known !== undefined) return known;
      const fd = openInRoot(this.#root, path, O_PATH | O_DIRECTORY);
      if (this.#parents.size >= maxOpenParents) this.#forgetParents();
      this.#parents.set(path, fd);
      return fd;
    } catch (error) {
      if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return undefined;
      throw error;
    }
  }

  /** Removes everything below a directory that is not this archive's own. */
  async #removeLower(directory: RawPath): Promise<void> {
    const fd = openInRoot(this.#root, directory, native.constants.O_RDONLY | O_DIRECTORY);
    try {
      for (const { name } of native.readdir(fd)) {
        const path = joinRaw(directory, rawPath(name));
        const present = native.statOrUndefined(fd, name);
        if (present === undefined) continue;
        if (!this.#written.has(path)) await this.#remove(fd, name, present);
        else if (isDirectory(present)) await this.#removeLower(path);
      }
    } finally {
      native.close(fd);
    }
  }
}

function leadsOut(path: RawPath): never {
  throw new TsbuildError(
    'TSB_INTEGRITY_BAD_ARCHIVE',
    `a link on the way to ${JSON.stringify(textOf(path))} leads out of the directory the archive is unpacked into`,
    { hint: 'The archive is not safe to unpack: it writes through a link with "..".' },
  );
}

function noDirectory(cause: TsbuildError, path: RawPath): TsbuildError {
  return new TsbuildError(
    'TSB_INTEGRITY_BAD_ARCHIVE',
    `cannot unpack below /${textOf(path)}: it is no directory there`,
    { hint: 'The archive has files below a path that is itself a file, or a link to itself.', cause },
  );
}

/** Whether `..` leads above where the path starts. */
function climbs(path: RawPath): boolean {
  let depth = 0;
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    depth += part === '..' ? -1 : 1;
    if (depth < 0) return true;
  }
  return false;
}

function isLink(stat: Stat): boolean {
  return typeOf(stat) === S_IFLNK;
}

function dataSize(entry: ReadEntry): number {
  return entry.segments.reduce((sum, { length }) => sum + length, 0);
}

async function writeFile(parent: Fd, name: Buffer, entry: ReadEntry, reader: ByteReader): Promise<void> {
  const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
  const fd = native.openat2(parent, name, flags, 0o600, native.constants.RESOLVE_BENEATH);
  try {
    let end = 0;
    for (const { offset, length } of entry.segments) {
      for (let at = 0; at < length; ) {
        const part = await reader.some(length - at);
        if (part === undefined) throw truncated();
        // A file that was sparse is sparse again.
        if (!isHole(part)) {
          writeAll(fd, part, offset + at);
          end = offset + at + part.length;
        }
        at += part.length;
      }
    }
    if (end < entry.size) ftruncateSync(fd, entry.size);
  } finally {
    native.close(fd);
  }
}

function writeAll(fd: Fd, bytes: Buffer, position: number): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, position + at);
}

/** False where a user namespace may not make device nodes: they are left out then, as all rootless builders do. */
function makeNode(parent: Fd, name: Buffer, entry: ReadEntry): boolean {
  // What a whiteout looks like inside a store is no device, and no kernel makes one in an overlay.
  if (entry.type === 'char' && entry.devMajor === 0 && entry.devMinor === 0) return false;
  const type = entry.type === 'char' ? S_IFCHR : entry.type === 'block' ? S_IFBLK : S_IFIFO;
  try {
    native.mknodat(parent, name, type | 0o600, entry.devMajor, entry.devMinor);
    return true;
  } catch (error) {
    if (hasCode(error, 'EPERM') && entry.type !== 'fifo' && process.env['TSBUILD_USERNS'] === '1')
      return false;
    throw error;
  }
}

function setAttribute(dirfd: Fd, name: Buffer | string, attribute: string, value: Buffer): void {
  try {
    native.setXattr(dirfd, name, attribute, value);
  } catch (error) {
    // The file system or the kind of file has no such attributes, or they are beyond our rights (security.selinux …).
    if (!hasCode(error, 'ENOTSUP') && !hasCode(error, 'EOPNOTSUPP') && !hasCode(error, 'EPERM')) throw error;
  }
}
