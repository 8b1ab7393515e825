/** Paths of instructions: joined and cleaned as BuildKit's system.NormalizePath does. */
import { cleanPath } from '@tsbuild/core';

/** A path as a Windows Dockerfile may write it, with slashes and without the drive; other systems' stay as they are. */
export function slashed(os: string, path: string): string {
  return os === 'windows' ? path.replace(/^[A-Za-z]:/, '').replaceAll('\\', '/') : path;
}

/** The working directory as the image's config has it: Windows gets its own separators. */
export function native(os: string, path: string): string {
  return os === 'windows' ? path.replaceAll('/', '\\') : path;
}

/** Absolute and clean. */
export function absolute(cwd: string, path: string): string {
  return cleanPath(path.startsWith('/') ? path : `${cwd}/${path}`);
}

/** Absolute; a trailing `/` or `/.` stays as `/`: the destination is a directory. */
export function destinationPath(cwd: string, path: string): string {
  const written = path === '' || path === '.' ? './' : path;
  const clean = absolute(cwd, written);
  const directory = written.endsWith('/') || written.endsWith('/.');
  return directory && clean !== '/' ? `${clean}/` : clean;
}

/** A source against its root; the pivot `/./` of --parents stays. */
export function sourcePath(path: string, parents: boolean): string {
  const pivot = parents ? path.indexOf('/./') : -1;
  if (pivot < 0) return cleanPath(`/${path}`);
  const above = cleanPath(`/${path.slice(0, pivot)}`);
  return `${above === '/' ? '' : above}/.${cleanPath(`/${path.slice(pivot + 3)}`)}`;
}
