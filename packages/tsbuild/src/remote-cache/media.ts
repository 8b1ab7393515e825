/** From --cache-from and --cache-to to media. */
import { isDigest, TsbuildError } from '@tsbuild/core';
import { normalizeReference } from '@tsbuild/registry';
import type { BuildOptions, CacheSource, CacheTarget } from '../api/types.js';
import type { Repositories } from '../image/remote.js';
import { localMedium } from './local-medium.js';
import type { CacheMedium } from './medium.js';
import { registryMedium } from './registry-medium.js';
import { s3Medium } from './s3-medium.js';
import { s3Options } from './s3-options.js';
import { signed } from './signature.js';
import type { Keys } from './signing-keys.js';

export interface MediaSurroundings {
  repositories: Repositories;
  /** `host[:port]` whose certificate may be any. */
  insecureRegistries?: readonly string[] | undefined;
  keys: Keys;
  /** Repositories of a registry that may have a layer. */
  mountFrom?(registry: string): string[];
}

/** Before anything runs. @throws TsbuildError TSB_USAGE_* */
export function checkCaches({ cacheFrom = [], cacheTo = [], cacheSign }: BuildOptions): void {
  for (const cache of [...cacheFrom, ...cacheTo]) {
    if (cache.type === 's3') s3Options(cache, process.env);
    if (cache.type === 'registry') normalizeReference(cache.ref);
  }
  if (cacheSign !== undefined && cacheTo.some(({ type }) => type === 'inline'))
    throw new TsbuildError('TSB_USAGE_BAD_CACHE', 'an inline cache cannot be signed', {
      hint: 'Write the cache to a place of its own, for example --cache-to type=registry,ref=NAME:cache.',
    });
}

/** @throws TsbuildError TSB_USAGE_* */
export function sourceMedium(source: CacheSource, around: MediaSurroundings): CacheMedium {
  return signed(bareSource(source, around), { verify: around.keys.verify });
}

function bareSource(
  source: CacheSource,
  { repositories, insecureRegistries }: MediaSurroundings,
): CacheMedium {
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
    case 's3':
      return s3Medium({ ...s3Options(source, process.env), insecureRegistries: insecureRegistries ?? [] });
  }
}

type StoredTarget = Exclude<CacheTarget, { type: 'inline' }>;

/** @throws TsbuildError TSB_USAGE_* */
export function targetMedium(target: StoredTarget, around: MediaSurroundings): CacheMedium {
  return signed(bareTarget(target, around), { sign: around.keys.sign });
}

function bareTarget(
  target: StoredTarget,
  { repositories, insecureRegistries, mountFrom }: MediaSurroundings,
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
    case 's3':
      return s3Medium({ ...s3Options(target, process.env), insecureRegistries: insecureRegistries ?? [] });
  }
}
