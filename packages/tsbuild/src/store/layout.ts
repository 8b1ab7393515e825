/** Where things are in the store, and how its folder is made and checked. */
import * as fs from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { storeFull, TsbuildError } from '@tsbuild/core';
import { makeFolders } from '@tsbuild/executor';
import { close, constants, fsync, openat2, AT_FDCWD, stat, statfs, tryFlock } from '@tsbuild/native';

/** Raised whenever an older tsbuild would misread what a newer one writes. */
export const version = '1';

/** Of oci/oci-layout. */
export const layoutText = '{"imageLayoutVersion":"1.0.0"}';

/** Of the store. */
export const folders = [
  'oci/blobs/sha256',
  'oci/ingest',
  'snapshots',
  'cache',
  'locks',
  'leases',
  'mounts',
  'tmp',
];

/** Default of `--root`: the XDG base directory specification's data folder, or /var/lib for root. */
export function defaultRoot(env: NodeJS.ProcessEnv = process.env): string {
  if (env.TSBUILD_ROOT) return env.TSBUILD_ROOT;
  const rootless = env.TSBUILD_USERNS === '1' || process.getuid?.() !== 0;
  if (!rootless) return '/var/lib/tsbuild';
  // A relative XDG_DATA_HOME is to be ignored (basedir-spec, "Environment variables").
  const data = env.XDG_DATA_HOME?.startsWith('/')
    ? env.XDG_DATA_HOME
    : join(env.HOME ?? homedir(), '.local/share');
  return join(data, 'tsbuild');
}

/**
 * Makes the store's folders where they are missing and checks that they can be used.
 * Safe with any number of processes: each step is idempotent, and the version file is written last.
 * @throws TsbuildError TSB_STORE_*
 */
export function prepareStore(root: string): void {
  const versionPath = join(root, 'version');
  if (checkVersion(root) === version) {
    checkOwner(root);
    return;
  }
  try {
    for (const folder of folders) makeFolders(join(root, folder), 0o711);
    checkOwner(root);
    checkFilesystem(root);
    writeOnce(join(root, 'oci/oci-layout'), layoutText);
    writeOnce(versionPath, `${version}\n`);
  } catch (error) {
    throw TsbuildError.is(error) ? error : storeError(root, error as NodeJS.ErrnoException);
  }
}

/** @throws TsbuildError TSB_STORE_VERSION for the format of another version */
export function checkVersion(root: string): string | undefined {
  const found = readVersion(join(root, 'version'));
  if (found === version) return found;
  // An empty or torn file says nothing of another format: it is written again.
  if (found !== undefined && /^\d+$/.test(found)) {
    throw new TsbuildError(
      'TSB_STORE_VERSION',
      `the store ${root} has the format ${found}, this tsbuild uses ${version}`,
      {
        hint: 'Use the tsbuild that made it, or name another folder with --root.',
      },
    );
  }
  return undefined;
}

function readVersion(path: string): string | undefined {
  try {
    return fs.readFileSync(path, 'utf8').trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw storeError(path.slice(0, -'/version'.length), error as NodeJS.ErrnoException);
  }
}

function storeError(root: string, error: NodeJS.ErrnoException): TsbuildError {
  const full = storeFull(error, root);
  if (full) return full;
  const what: Record<string, string> = {
    EACCES: 'no permission',
    EPERM: 'not permitted',
    EROFS: 'the file system is read-only',
    ENOTDIR: 'a part of the path is no folder',
  };
  return new TsbuildError(
    'TSB_STORE_UNUSABLE',
    `cannot use the store ${root}: ${what[error.code ?? ''] ?? error.message}`,
    {
      hint: 'Name a folder of your own on a local disk with --root or TSBUILD_ROOT.',
      cause: error,
    },
  );
}

function checkOwner(root: string): void {
  const { uid } = fs.statSync(root);
  if (uid !== process.getuid?.()) {
    throw new TsbuildError(
      'TSB_STORE_OTHER_OWNER',
      `the store ${root} belongs to another user (uid ${uid})`,
      {
        hint: 'Name a folder of your own with --root or TSBUILD_ROOT; one store serves one user.',
      },
    );
  }
}

/** A store needs links, locks and modes; file systems made for other systems lack them. */
function checkFilesystem(root: string): void {
  const dir = openat2(AT_FDCWD, root, constants.O_RDONLY | constants.O_DIRECTORY, 0, 0);
  const probe = join(root, 'tmp', `probe-${process.pid}`);
  try {
    fs.rmSync(`${probe}-link`, { force: true });
    fs.symlinkSync('x', `${probe}-link`);
    fs.writeFileSync(probe, '', { mode: 0o600 });
    fs.linkSync(probe, `${probe}-hard`);
    const fd = openat2(AT_FDCWD, probe, constants.O_RDWR, 0, 0);
    try {
      fs.fchmodSync(fd, 0o4755);
      const { mode } = stat(fd, '');
      if ((mode & 0o7777) !== 0o4755 || !tryFlock(fd, constants.LOCK_EX)) {
        throw Object.assign(new Error('modes are not kept'), { code: 'ENOTSUP' });
      }
    } finally {
      close(fd);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EROFS' || code === 'EACCES') throw error;
    const type = statfs(dir).type.toString(16);
    throw new TsbuildError(
      'TSB_STORE_FILESYSTEM',
      `the file system of ${root} (type 0x${type}) lacks links, locks or modes`,
      {
        hint: 'Name a folder on a local Linux file system (ext4, xfs, btrfs, tmpfs) with --root or TSBUILD_ROOT.',
        cause: error,
      },
    );
  } finally {
    for (const suffix of ['', '-link', '-hard']) fs.rmSync(probe + suffix, { force: true });
    close(dir);
  }
}

/** Temp and rename: another process at the same place writes the same bytes. */
function writeOnce(path: string, text: string): void {
  const temporary = `${path}.${process.pid}`;
  fs.writeFileSync(temporary, text);
  const fd = fs.openSync(temporary, 'r+');
  try {
    fsync(fd);
  } finally {
    fs.closeSync(fd);
  }
  fs.renameSync(temporary, path);
}
