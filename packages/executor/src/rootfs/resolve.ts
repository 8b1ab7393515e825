/** Where a path really leads inside a root, also when its end does not exist yet. */
import * as native from '@tsbuild/native';
import type { Fd } from '@tsbuild/native';
import { TsbuildError } from '@tsbuild/core';
import { hasCode, isMissing, openExact, typeOf, withFd } from './open.js';
import { cleanInRoot, joinRaw, parentOf, type RawPath, rawPath, textOf } from './raw-path.js';

const { O_PATH, O_NOFOLLOW, S_IFLNK } = native.constants;

/** As the kernel's own limit (path_resolution(7)). */
const maxLinks = 40;

export interface ResolveOptions {
  /** Whether a link as the last component is followed; default true. */
  followLast?: boolean;
  /** Told the exact path of each link that is followed. */
  onLink?: (path: RawPath) => void;
  /** Called when `..` of a relative path or link would lead above the root, instead of staying there. */
  onEscape?: (() => never) | undefined;
}

/**
 * Exact path (no links, relative, '' for the root) that `path` leads to. A `..` in `path` itself takes the name before
 * it away, whatever that is (as BuildKit cleans all paths); in a link it is followed. Absolute links start at the root, `..`
 * stops there. What does not exist is kept as written, so the result can be created.
 * @throws TsbuildError TSB_CONTEXT_LINK_LOOP
 */
export function resolveInRoot(root: Fd, path: RawPath, options: ResolveOptions = {}): RawPath {
  const cleaned = cleanInRoot(path);
  if (isPlain(root, cleaned)) return cleaned;
  return walkLinks(root, cleaned, options);
}

/** Whether the whole path exists without any link: the usual case, in one system call. */
function isPlain(root: Fd, cleaned: RawPath): boolean {
  try {
    return withFd(openExact(root, cleaned, O_PATH), () => true);
  } catch (error) {
    if (isMissing(error) || hasCode(error, 'ELOOP')) return false;
    throw error;
  }
}

function walkLinks(root: Fd, path: RawPath, options: ResolveOptions): RawPath {
  const todo = path.split('/').reverse() as RawPath[];
  let links = 0;
  let at = '' as RawPath;
  while (todo.length > 0) {
    const part = todo.pop() as RawPath;
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (at === '') options.onEscape?.();
      at = parentOf(at);
      continue;
    }
    const next = joinRaw(at, part);
    const last = todo.every((rest) => rest === '' || rest === '.');
    const target = last && options.followLast === false ? undefined : readLink(root, next);
    if (target === undefined) {
      at = next;
      continue;
    }
    links += 1;
    if (links > maxLinks) {
      throw new TsbuildError(
        'TSB_CONTEXT_LINK_LOOP',
        `too many links in ${JSON.stringify(`/${textOf(path)}`)}`,
        {
          hint: 'Links that lead to each other; remove one of them.',
        },
      );
    }
    options.onLink?.(next);
    const absolute = target.startsWith('/');
    if (absolute) at = '' as RawPath;
    // The root's own `..` is the root, whoever writes it in an absolute link.
    const onward = absolute ? target.replace(/^(\/+\.\.?(?=\/|$))+/, '') : target;
    todo.push(...(onward.split('/').reverse() as RawPath[]));
  }
  return at;
}

function readLink(root: Fd, path: RawPath): RawPath | undefined {
  try {
    return withFd(openExact(root, path, O_PATH | O_NOFOLLOW), (fd) =>
      typeOf(native.stat(fd, '')) === S_IFLNK ? rawPath(native.readlinkat(fd, '')) : undefined,
    );
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
