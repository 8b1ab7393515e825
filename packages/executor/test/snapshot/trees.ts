/** Small trees for tests: written below a descriptor, and described so that two can be compared. */
import { writeSync } from 'node:fs';
import * as native from '@tsbuild/native';
import type { Fd } from '@tsbuild/native';

const C = native.constants;

export const isRoot = process.getuid?.() === 0;

/** The suites run a second time in a user namespace (user-namespace.test.ts), where there are no device nodes. */
export const inUserNamespace = process.env['TSBUILD_USERNS'] === '1';

/** Opens (making it where missing) the folder of a path and calls `use` with it and the last name. */
function inFolder<T>(root: Fd, path: string, use: (fd: Fd, name: string) => T): T {
  const names = path.split('/');
  const last = names.pop() as string;
  const opened: Fd[] = [];
  try {
    let fd = root;
    for (const name of names) {
      if (native.statOrUndefined(fd, name) === undefined) native.mkdirat(fd, name, 0o755);
      fd = native.openat2(fd, name, C.O_RDONLY | C.O_DIRECTORY | C.O_NOFOLLOW, 0, 0);
      opened.push(fd);
    }
    return use(fd, last);
  } finally {
    for (const fd of opened) native.close(fd);
  }
}

export function write(root: Fd, path: string, content: string | Buffer, mode = 0o644): void {
  inFolder(root, path, (dirfd, name) => {
    const fd = native.openat2(dirfd, name, C.O_WRONLY | C.O_CREAT | C.O_TRUNC | C.O_NOFOLLOW, mode, 0);
    writeSync(fd, Buffer.from(content));
    native.close(fd);
    native.chmodat(dirfd, name, mode);
  });
}

export function mkdir(root: Fd, path: string, mode = 0o755): void {
  inFolder(root, path, (dirfd, name) => {
    native.mkdirat(dirfd, name, mode);
    native.chmodat(dirfd, name, mode);
  });
}

export function symlink(root: Fd, path: string, target: string): void {
  inFolder(root, path, (dirfd, name) => native.symlinkat(target, dirfd, name));
}

export function link(root: Fd, from: string, to: string): void {
  inFolder(root, from, (fromFd, fromName) =>
    inFolder(root, to, (toFd, toName) => native.linkat(fromFd, fromName, toFd, toName)),
  );
}

export async function remove(root: Fd, path: string): Promise<void> {
  const names = path.split('/');
  const last = names.pop() as string;
  const fd = native.openat2(
    root,
    names.length === 0 ? '.' : names.join('/'),
    C.O_RDONLY | C.O_DIRECTORY,
    0,
    0,
  );
  try {
    await native.removeTree(fd, last);
  } finally {
    native.close(fd);
  }
}

/** Calls `use` with a folder of the tree and the name in it, for other changes. */
export const change = inFolder;

function typeOf(mode: number): string {
  const types = new Map([
    [C.S_IFREG, 'file'],
    [C.S_IFDIR, 'dir'],
    [C.S_IFLNK, 'link'],
    [C.S_IFCHR, 'char'],
    [C.S_IFBLK, 'block'],
    [C.S_IFIFO, 'fifo'],
    [C.S_IFSOCK, 'socket'],
  ]);
  return types.get(mode & C.S_IFMT) ?? '?';
}

/** One line per entry: everything that a layer has to keep, times of directories left out. */
export async function describe(root: Fd, times = true): Promise<string[]> {
  const names = new Map<bigint, string>();
  const lines: string[] = [];
  for (const entry of await native.walk(root, '', { xattrs: true })) {
    const path = entry.path.toString('latin1');
    const type = typeOf(entry.mode);
    const parts = [path, type, (entry.mode & 0o7777).toString(8), `${entry.uid}:${entry.gid}`];
    if (type === 'link') parts.push(`-> ${entry.link?.toString('latin1')}`);
    if (type === 'char' || type === 'block') parts.push(`${entry.rdevMajor},${entry.rdevMinor}`);
    if (type === 'file') {
      const hash = await native.hashFiles(root, [entry.path]);
      parts.push(String(entry.size), hash.toString('hex').slice(0, 16));
    }
    if (type !== 'dir' && times) parts.push(String(entry.mtimeNs));
    const first = names.get(entry.ino);
    if (type !== 'dir' && entry.nlink > 1 && first !== undefined) parts.push(`= ${first}`);
    if (first === undefined) names.set(entry.ino, path);
    for (const { name, value } of entry.xattrs ?? []) {
      if (!name.includes('.overlay.')) parts.push(`${name}=${value.toString('hex')}`);
    }
    lines.push(parts.join(' '));
  }
  return lines;
}
