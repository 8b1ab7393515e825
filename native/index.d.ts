/**
 * What Node lacks: file work by descriptor, batches on a thread pool, detached overlay mounts.
 *
 * Paths are bytes (Buffer) or strings; a string is encoded as UTF-8. A failing call throws an Error with
 * `code` ('ENOENT'), `errno` (negative, as Node has it), `syscall` and `path`. Synchronous functions do one
 * or few system calls; functions that return a Promise run on the pool, take an optional cancel token (see
 * CancelToken) or AbortSignal, and reject with code 'ECANCELED' when it fires.
 *
 * A parameter called `name` is one name in a directory: a slash or `..` in it is refused (EINVAL), unless dirfd is
 * AT_FDCWD. A parameter called `path` may have several parts; below a descriptor it is resolved inside that
 * directory as if it were the root (RESOLVE_IN_ROOT), so that links of an untrusted tree never lead out of it.
 */
export type Fd = number;
export type BytesPath = Buffer | string;

export declare const AT_FDCWD: Fd;
export declare const constants: {
  O_RDONLY: number;
  O_WRONLY: number;
  O_RDWR: number;
  O_CREAT: number;
  O_EXCL: number;
  O_TRUNC: number;
  O_APPEND: number;
  O_NOFOLLOW: number;
  O_DIRECTORY: number;
  O_PATH: number;
  O_CLOEXEC: number;
  O_NONBLOCK: number;
  RESOLVE_NO_XDEV: number;
  RESOLVE_NO_MAGICLINKS: number;
  RESOLVE_NO_SYMLINKS: number;
  RESOLVE_BENEATH: number;
  RESOLVE_IN_ROOT: number;
  AT_SYMLINK_NOFOLLOW: number;
  AT_REMOVEDIR: number;
  AT_EMPTY_PATH: number;
  AT_SYMLINK_FOLLOW: number;
  RENAME_NOREPLACE: number;
  RENAME_EXCHANGE: number;
  LOCK_SH: number;
  LOCK_EX: number;
  LOCK_UN: number;
  S_IFMT: number;
  S_IFREG: number;
  S_IFDIR: number;
  S_IFLNK: number;
  S_IFCHR: number;
  S_IFBLK: number;
  S_IFIFO: number;
  S_IFSOCK: number;
};

export interface Stat {
  /** Type and permission bits. */
  mode: number;
  uid: number;
  gid: number;
  nlink: number;
  /** Bytes. */
  size: number;
  /** 512-byte blocks. */
  blocks: number;
  ino: bigint;
  devMajor: number;
  devMinor: number;
  rdevMajor: number;
  rdevMinor: number;
  /** Nanoseconds since the epoch; negative before 1970. */
  atimeNs: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
}

export interface Xattr {
  /** Each character is one byte (latin1). */
  name: string;
  value: Buffer;
}

/**
 * Opens `path` below `dirfd`. A path without links and `..` (RESOLVE_NO_SYMLINKS) may be longer than PATH_MAX: up to
 * 64 KiB. `resolve` is a set of RESOLVE_* flags; with RESOLVE_IN_ROOT, absolute links and
 * `..` stay below dirfd (openat2(2)). O_CLOEXEC is always added. EAGAIN (a rename raced with `..`) is retried.
 */
export declare function openat2(dirfd: Fd, path: BytesPath, flags: number, mode: number, resolve: number): Fd;
export declare function close(fd: Fd): void;
/** statx(2) with AT_STATX_DONT_SYNC; never follows the last link unless `follow`. An empty path means dirfd itself. */
export declare function stat(dirfd: Fd, path: BytesPath, follow?: boolean): Stat;
/** Like stat, but undefined where nothing is (ENOENT, ENOTDIR). */
export declare function statOrUndefined(dirfd: Fd, path: BytesPath, follow?: boolean): Stat | undefined;
/** Names and d_type file type bits (S_IF*, 0 unknown), without `.` and `..`, sorted by bytes. */
export declare function readdir(dirfd: Fd): { name: Buffer; type: number }[];
/** Link text; an empty path reads dirfd itself, opened with O_PATH|O_NOFOLLOW. */
export declare function readlinkat(dirfd: Fd, path: BytesPath): Buffer;
export declare function mkdirat(dirfd: Fd, name: BytesPath, mode: number): void;
export declare function mknodat(
  dirfd: Fd,
  name: BytesPath,
  mode: number,
  devMajor: number,
  devMinor: number,
): void;
export declare function symlinkat(target: BytesPath, dirfd: Fd, name: BytesPath): void;
/** Hard link; never follows oldName; an empty oldName with AT_EMPTY_PATH semantics links oldDirfd's file. */
export declare function linkat(oldDirfd: Fd, oldName: BytesPath, newDirfd: Fd, newName: BytesPath): void;
export declare function unlinkat(dirfd: Fd, name: BytesPath, flags?: number): void;
export declare function renameat2(
  oldDirfd: Fd,
  oldName: BytesPath,
  newDirfd: Fd,
  newName: BytesPath,
  flags?: number,
): void;
/** These act on dirfd/name without following a link; an empty name means dirfd itself (O_PATH works). */
export declare function chownat(dirfd: Fd, name: BytesPath, uid: number, gid: number): void;
/** chmod of a link is refused by the kernel and is skipped silently. */
export declare function chmodat(dirfd: Fd, name: BytesPath, mode: number): void;
export declare function utimesat(dirfd: Fd, name: BytesPath, atimeNs: bigint, mtimeNs: bigint): void;
/** All attributes, sorted by name (trusted.* where permitted). Empty where the filesystem has none. */
export declare function listXattrs(dirfd: Fd, name: BytesPath): Xattr[];
/** The attribute's name is as in Xattr. */
export declare function setXattr(dirfd: Fd, name: BytesPath, attribute: string, value: Buffer): void;
export declare function removeXattr(dirfd: Fd, name: BytesPath, attribute: string): void;
/** False where the lock is held by someone else; the lock ends with the descriptor. */
export declare function tryFlock(fd: Fd, operation: number): boolean;
export declare function fsync(fd: Fd): void;
/** Writes everything of the file system that fd is on to its device (syncfs(2)). */
export declare function syncfs(fd: Fd): Promise<void>;
/** Filesystem magic number and free bytes/inodes of the filesystem that fd is on. */
export declare function statfs(fd: Fd): {
  type: number;
  blockSize: number;
  freeBytes: number;
  totalBytes: number;
  freeFiles: number;
};

/** A cancel token: abort() makes the pool work that was given it stop soon and reject with code 'ECANCELED'. */
export declare class CancelToken {
  cancel(): void;
}
export type Cancel = CancelToken | AbortSignal;

/**
 * Copies the data of one open file to another from offset 0: reflink, else copy_file_range, else read and
 * write; holes stay holes. Returns the bytes of the file.
 */
export declare function copyData(source: Fd, destination: Fd, cancel?: Cancel): Promise<number>;

/**
 * sha256 (32 bytes each, one after another) of regular files below dirfd, on all cores. Links are not followed.
 * @param headers one for each file, hashed before its data
 */
export declare function hashFiles(
  dirfd: Fd,
  names: BytesPath[],
  cancel?: Cancel,
  headers?: Buffer[],
): Promise<Buffer>;

export interface WalkEntry extends Stat {
  /** Relative to the walked directory, no leading slash; the directory itself has no entry. */
  path: Buffer;
  /** Link text of a symbolic link. */
  link?: Buffer;
  xattrs?: Xattr[];
}
/**
 * Every entry below dirfd/path in lexical byte order per directory, each directory before its content (the order of
 * Go's filepath.Walk). `prune` lists directories, relative, that are reported but not entered.
 * Does not follow links and does not cross into other mounts unless `crossMounts`.
 */
export declare function walk(
  dirfd: Fd,
  path: BytesPath,
  options: { xattrs?: boolean; prune?: Buffer[]; crossMounts?: boolean },
  cancel?: Cancel,
): Promise<WalkEntry[]>;

export interface CopyTreeItem {
  /** Below the source and the destination descriptor; both relative, resolved without following links. */
  source: BytesPath;
  destination: BytesPath;
}
export interface CopyOptions {
  /** Owner of everything copied; default: the source's. */
  uid?: number;
  gid?: number;
  /** Permission bits of every copied file and directory (not links); default: the source's. */
  mode?: number;
  /** Copy xattrs (security.capability and user.*; errors ENOTSUP and EPERM are passed over). */
  xattrs: boolean;
}
/**
 * Copies non-directory entries (files, links, devices, fifos; sockets are skipped) in one batch on the pool.
 * Destinations must not exist; their parents must. Hard links among `items` (same source dev and inode,
 * nlink > 1) become hard links. Order of writes: data, owner, mode, xattrs, times. Sparse files stay sparse.
 */
export declare function copyFiles(
  sourceRoot: Fd,
  destinationRoot: Fd,
  items: CopyTreeItem[],
  options: CopyOptions,
  cancel?: Cancel,
): Promise<void>;

/**
 * Removes dirfd/name and everything below it, without following links or entering other mounts (EXDEV). Missing is
 * fine. Modes that deny access are changed on the way.
 */
export declare function removeTree(dirfd: Fd, name: BytesPath): Promise<void>;

/**
 * A detached overlay mount (fsopen, fsconfig, fsmount): its root descriptor. Nothing is attached to the
 * mount namespace; closing the descriptor (and those opened below it) ends the mount. Lower directories are given
 * top first, as for mount(8); a single lower one without an upper one gives a read-only clone of it. Redirects and
 * metadata-only copies are neither written nor followed. Needs CAP_SYS_ADMIN in the mount namespace's user namespace.
 */
export declare function mountOverlay(options: {
  lower: BytesPath[];
  upper?: BytesPath;
  work?: BytesPath;
  /** user.overlay.* attributes instead of trusted.* (needed in a user namespace). */
  userxattr: boolean;
  readonly?: boolean;
}): Fd;
/** A detached clone of the mount tree at path (open_tree OPEN_TREE_CLONE): read-only if asked. */
export declare function cloneTree(
  dirfd: Fd,
  path: BytesPath,
  options: { readonly?: boolean; recursive?: boolean },
): Fd;
/** Absolute path of the static helper program. */
export declare const helperPath: string;
