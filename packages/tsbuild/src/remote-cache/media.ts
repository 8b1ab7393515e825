/** From --cache-from and --cache-to to media. */
import { isDigest, TsbuildError } from '@tsbuild/core';
import { normalizeReference } from '@tsbuild/registry';
import type { CacheSource, CacheTarget } from '../api/types.js';
import type { Repositories } from '../image/remote.js';
import { localMedium } from './local-medium.js';
import type { CacheMedium } from './medium.js';
import { registryMedium } from './registry-medium.js';

export interface MediaSurroundings {
  repositories: Repositories;
  /** Repositories of a registry that may have a layer. */
  mountFrom?(registry: string): string[];
}

/** @throws TsbuildError TSB_USAGE_* */
export function sourceMedium(source: CacheSource, { repositories }: MediaSurroundings): CacheMedium {
  switch (source.type) {
    case 'registry':
      return registryMedium({ reference: normalizeReference(source.ref), repositories, form: 'image' });
    case 'local': {
      const { src, tag, digest } = source;
      if (digest !== undefined && !isDigest(digest))
        throw new TsbuildError('TSB_USAGE_BAD_CACHE', `${digest} is no digest`, {
          hint: 'Write sha256: and 64 hexadecimal digits.',
        });
      return localMedium({
        folder: src,
        form: 'image',
        ...(tag === undefined ? {} : { tag }),
        ...(digest === undefined ? {} : { digest }),
      });
    }
  }
}

/** @throws TsbuildError TSB_USAGE_* */
export function targetMedium(
  target: Exclude<CacheTarget, { type: 'inline' }>,
  { repositories, mountFrom }: MediaSurroundings,
): CacheMedium {
  const form = target.imageManifest === false ? 'index' : 'image';
  switch (target.type) {
    case 'registry':
      return registryMedium({
        reference: normalizeReference(target.ref),
        repositories,
        form,
        ...(mountFrom === undefined ? {} : { mountFrom }),
      });
    case 'local': {
      const { dest, tag, reset } = target;
      return localMedium({
        folder: dest,
        form,
        ...(tag === undefined ? {} : { tag }),
        ...(reset === undefined ? {} : { reset }),
      });
    }
  }
}
