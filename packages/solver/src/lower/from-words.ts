/** The words of FROM, expanded: they know the ARGs before the first FROM alone. */
import { didYouMean, parsePlatform, type Platform } from '@tsbuild/core';
import { type Dockerfile, expandWord, type Stage } from '@tsbuild/parser';
import type { Env } from './env.js';
import { fault, locate, placed } from './fault.js';

export interface FromWords {
  image: string;
  platform?: Platform;
}

export function expandFrom(dockerfile: Dockerfile, globals: Env, { from }: Stage): FromWords {
  return placed(locate(dockerfile, from.range), undefined, () => {
    const expand = (raw: string) => {
      const { value, unset } = expandWord(raw, (name) => globals.get(name), dockerfile.escape);
      const near = unset.map((name) => didYouMean(name, globals.keys())).find((text) => text !== '');
      return { value, near: near ?? '' };
    };
    const { value: image, near } = expand(from.image);
    if (image === '') {
      throw fault(
        'BLANK_BASE',
        `base name (${from.image}) should not be blank${near}`,
        'Give its ARG a default before the first FROM, or pass --build-arg.',
      );
    }
    if (from.platform === undefined) return { image };
    return { image, platform: readPlatform(from.platform, expand(from.platform)) };
  });
}

function readPlatform(written: string, { value, near }: { value: string; near: string }): Platform {
  const hint = 'Write --platform=linux/amd64, or --platform=$BUILDPLATFORM.';
  if (value === '') throw fault('PLATFORM', `empty platform value from expression ${written}${near}`, hint);
  try {
    return parsePlatform(value);
  } catch (error) {
    throw fault(
      'PLATFORM',
      error instanceof Error ? error.message : `failed to parse platform ${value}`,
      hint,
    );
  }
}
