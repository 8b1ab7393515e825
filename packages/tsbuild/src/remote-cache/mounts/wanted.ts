/** Which cache mounts travel: those the user named, with the digest of their key files. */
import { readFileSync } from 'node:fs';
import { type Digest, sha256, TsbuildError } from '@tsbuild/core';
import * as native from '@tsbuild/native';
import type { CacheMountSpec } from '../../api/types.js';

export interface WantedMount {
  /** As the user named it. */
  name: string;
  /** With the build's name space before it (BUILDKIT_CACHE_MOUNT_NS): what the mount is saved under. */
  id: string;
  /** Of the names and contents of its key files. */
  key?: Digest;
  /** Most bytes of content that are saved or restored. */
  maxBytes: number;
}

/** Where `max` does not say. */
const defaultMaxBytes = 10 * 1024 ** 3;

/**
 * @param namespace value of the build argument BUILDKIT_CACHE_MOUNT_NS
 * @param context folder of the build context; links in it are followed inside of it only
 * @throws TsbuildError TSB_USAGE_CACHE_MOUNT, TSB_CONTEXT_CACHE_KEY
 */
export function wantedMounts(
  specs: readonly CacheMountSpec[],
  namespace: string | undefined,
  context: string | undefined,
): WantedMount[] {
  const wanted: WantedMount[] = [];
  for (const { id: name, key, maxBytes = defaultMaxBytes } of specs) {
    if (name === '' || wanted.some((other) => other.name === name)) {
      const why = name === '' ? 'a cache mount without an id' : `the cache mount ${name} is named twice`;
      throw new TsbuildError('TSB_USAGE_CACHE_MOUNT', why, {
        hint: 'Name each once; its id is what id= of RUN --mount=type=cache says, else the target.',
      });
    }
    const keyed = key !== undefined && key.length > 0;
    // As the solver's graph has it.
    const id = `${namespace ?? ''}/${name}`;
    wanted.push({ name, id, maxBytes, ...(keyed ? { key: keyOf(name, key, context) } : {}) });
  }
  return wanted;
}

function keyOf(name: string, files: readonly string[], context: string | undefined): Digest {
  const digests = new Map(files.map((file) => [file, digestInContext(name, file, context)]));
  return sha256(JSON.stringify([...digests].sort(([a], [b]) => (a < b ? -1 : 1))));
}

function digestInContext(name: string, file: string, context: string | undefined): Digest {
  const { O_PATH, O_DIRECTORY, O_RDONLY, O_NONBLOCK } = native.constants;
  const { RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } = native.constants;
  const bad = (why: string, cause?: unknown) =>
    new TsbuildError('TSB_CONTEXT_CACHE_KEY', `key file ${file} of the cache mount ${name}: ${why}`, {
      hint: 'Name files of the build context, relative to it: --cache-mount id=npm,key=package-lock.json.',
      cause,
    });
  if (context === undefined) throw bad('there is no build context');
  const root = native.openat2(native.AT_FDCWD, context, O_PATH | O_DIRECTORY, 0, 0);
  try {
    // A fifo would wait for a writer.
    const flags = O_RDONLY | O_NONBLOCK;
    const fd = native.openat2(root, file, flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    try {
      const { mode } = native.stat(fd, '');
      if ((mode & native.constants.S_IFMT) !== native.constants.S_IFREG) throw bad('it is no regular file');
      return sha256(readFileSync(fd));
    } finally {
      native.close(fd);
    }
  } catch (error) {
    if (TsbuildError.is(error)) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw bad(code === 'ENOENT' || code === 'ENOTDIR' ? 'it is not in the context' : message, error);
  } finally {
    native.close(root);
  }
}
