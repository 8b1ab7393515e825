/**
 * Names inside a root file system are bytes. Here they travel as strings with one character per byte (latin1),
 * so that they can be cut, joined and used as map keys, and become bytes again at the system call.
 */
import type { BytesPath } from '@tsbuild/native';

/** A path whose characters are bytes; not for display (see textOf). */
export type RawPath = string & { readonly __rawPath: true };

export function rawPath(path: BytesPath): RawPath {
  return (typeof path === 'string' ? Buffer.from(path) : path).toString('latin1') as RawPath;
}

export function bytesOf(path: RawPath): Buffer {
  return Buffer.from(path, 'latin1');
}

/** The path as text; bytes that are not UTF-8 become U+FFFD. */
export function textOf(path: RawPath): string {
  return isAscii(path) ? path : bytesOf(path).toString('utf8');
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

/** Joins without cleaning; an empty side adds no slash. */
export function joinRaw(parent: RawPath, name: RawPath): RawPath {
  if (parent === '') return name;
  if (name === '') return parent;
  return `${parent}/${name}` as RawPath;
}

/** Everything before the last slash; '' where there is none. */
export function parentOf(path: RawPath): RawPath {
  return path.slice(0, Math.max(0, path.lastIndexOf('/'))) as RawPath;
}

/** What follows the last slash. */
export function baseOf(path: RawPath): RawPath {
  return path.slice(path.lastIndexOf('/') + 1) as RawPath;
}

/** Components below a root: without empty ones and `.`, with `..` stopping at the root (Go's Clean("/" + path)). */
export function cleanInRoot(path: RawPath): RawPath {
  const out: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') out.pop();
    else out.push(part);
  }
  return out.join('/') as RawPath;
}
