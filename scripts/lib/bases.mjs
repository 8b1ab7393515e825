/** Base images made from Debian's packages, for machines that reach no public registry. */
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { debianMirror, ensurePackages } from './apt.mjs';
import { must, say } from './run.mjs';

/** Folder that keeps what is slow to make; survives runs, may be deleted at any time. */
export function cacheDir() {
  const dir = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'tsbuild-dev');
  mkdirSync(dir, { recursive: true });
  return dir;
}

const slim = ['doc', 'man', 'locale', 'i18n', 'info', 'lintian'].map(
  (name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`,
);

/** A minimal Debian 12 root file system as a tar file; the equal of the bookworm-slim image. */
export async function debianTar() {
  const file = join(cacheDir(), 'debian-bookworm-slim.tar');
  if (existsSync(file)) return file;
  await ensurePackages(['mmdebstrap', 'debian-archive-keyring']);
  say('Making a Debian base from packages (about a minute, once) …');
  const partial = `${file}.${process.pid}`;
  try {
    await must(
      'mmdebstrap',
      [
        '--variant=minbase',
        '--include=ca-certificates',
        '--quiet',
        ...slim,
        '--format=tar',
        'bookworm',
        partial,
        debianMirror(),
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    renameSync(partial, file);
  } finally {
    rmSync(partial, { force: true });
  }
  return file;
}
