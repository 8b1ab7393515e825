/** Which image of an index serves a platform: containerd's order (platforms/compare.go, platformVector). */
import {
  formatPlatform,
  normalizePlatform,
  TsbuildError,
  type Descriptor,
  type ImageIndex,
  type Platform,
} from '@tsbuild/core';
import type { PlatformMatcher } from '../api.js';

/** The platforms whose images run on `platform`, best first. */
export function platformVector(wanted: Platform): Platform[] {
  const platform = normalizePlatform(wanted);
  const { os, architecture, variant } = platform;
  const like = (arch: string, version?: string): Platform =>
    normalizePlatform({ os, architecture: arch, ...(version === undefined ? {} : { variant: version }) });
  const vector = [platform];
  if (architecture === 'amd64') {
    for (let level = number(variant) - 1; level >= 1; level -= 1) vector.push(like('amd64', `v${level}`));
    vector.push(like('386'));
  }
  if (architecture === 'arm') {
    for (let level = number(variant) - 1; level >= 5; level -= 1) vector.push(like('arm', `v${level}`));
  }
  if (architecture === 'arm64') {
    const [major = 8, minor = 0] = (variant ?? 'v8').slice(1).split('.').map(Number);
    for (let level = minor - 1; level >= 0; level -= 1)
      vector.push(like('arm64', level === 0 ? `v${major}` : `v${major}.${level}`));
    // Armv9.x holds everything of v8.(x+5).
    if (major === 9)
      for (let level = minor + 5; level >= 0; level -= 1)
        vector.push(like('arm64', level === 0 ? 'v8' : `v8.${level}`));
    for (let level = 8; level >= 5; level -= 1) vector.push(like('arm', `v${level}`));
  }
  return vector;
}

function number(variant: string | undefined): number {
  return /^v\d+$/.test(variant ?? '') ? Number((variant as string).slice(1)) : 0;
}

function same(a: Platform, b: Platform): boolean {
  return a.os === b.os && a.architecture === b.architecture && (a.variant ?? '') === (b.variant ?? '');
}

function rank(vector: readonly Platform[], platform: Platform): number {
  const normal = normalizePlatform(platform);
  return vector.findIndex((one) => same(one, normal));
}

/** Whether an image of a platform runs on `wanted`. */
export function platformMatcher(wanted: Platform): PlatformMatcher {
  const vector = platformVector(wanted);
  return (platform) => rank(vector, platform) >= 0;
}

/**
 * The entry that serves the platform best; the first of equals. Entries without a platform come last.
 * @throws TsbuildError TSB_RESOLVE_NO_PLATFORM naming what there is
 */
export function chooseManifest(index: ImageIndex, wanted: Platform, name: string): Descriptor {
  const vector = platformVector(wanted);
  let best: Descriptor | undefined;
  let bestRank = Number.POSITIVE_INFINITY;
  for (const entry of index.manifests) {
    const found = entry.platform ? rank(vector, entry.platform) : vector.length;
    if (found >= 0 && found < bestRank) {
      best = entry;
      bestRank = found;
    }
  }
  if (best !== undefined) return best;
  const known = index.manifests.flatMap(({ platform }) =>
    platform && platform.os !== 'unknown' ? [formatPlatform(platform)] : [],
  );
  throw new TsbuildError(
    'TSB_RESOLVE_NO_PLATFORM',
    `${name} has no image for platform ${formatPlatform(wanted)}`,
    {
      hint:
        known.length > 0
          ? `It has: ${[...new Set(known)].sort().join(', ')}. Choose one with --platform.`
          : 'Its index is empty.',
      platform: formatPlatform(wanted),
    },
  );
}
