/** The build's options as the planner wants them. */
import { hostPlatform, type Platform, parsePlatform } from '@tsbuild/core';
import type { PlanOptions } from '@tsbuild/solver';
import type { BuildOptions } from '../api/types.js';
import { entitlement, hostEntry, ulimit } from './step-limits.js';

/** Without a wish: this machine's. Each once, in the order given. */
export function wantedPlatforms(
  texts: readonly string[] | undefined,
): { platform: Platform; explicit: boolean }[] {
  if (!texts || texts.length === 0) return [{ platform: hostPlatform(), explicit: false }];
  const byName = new Map<string, Platform>();
  for (const text of texts) {
    const platform = parsePlatform(text);
    byName.set(JSON.stringify(platform), platform);
  }
  return [...byName.values()].map((platform) => ({ platform, explicit: true }));
}

/** Build arguments that an option stands for: SOURCE_DATE_EPOCH is one. */
export function planOptions(
  options: Omit<BuildOptions, 'signal' | 'onEvent'>,
  wanted: { platform: Platform; explicit: boolean },
  signal: AbortSignal,
  showPlatform: boolean,
): PlanOptions {
  return {
    ...(options.target === undefined ? {} : { target: options.target }),
    buildArgs: buildArgs(options),
    labels: options.labels ?? {},
    platform: wanted.platform,
    platformExplicit: wanted.explicit,
    buildPlatform: hostPlatform(),
    showPlatform,
    noCache: options.noCache ?? false,
    // Steps have the host's network anyway, so `RUN --network=host` asks for nothing that --allow has to grant.
    network: options.network ?? 'host',
    entitlements: (options.allow ?? []).map(entitlement),
    extraHosts: (options.addHosts ?? []).map(hostEntry),
    ulimits: (options.ulimits ?? []).map(ulimit),
    ...(options.shmSize === undefined ? {} : { shmSize: options.shmSize }),
    ...(options.cgroupParent === undefined ? {} : { cgroupParent: options.cgroupParent }),
    namedContexts: Object.keys(options.buildContexts ?? {}),
    signal,
  };
}

/** buildx passes SOURCE_DATE_EPOCH of its environment on, unless it is given as a build argument. */
function buildArgs({
  buildArgs: given = {},
  sourceDateEpoch,
}: Pick<BuildOptions, 'buildArgs' | 'sourceDateEpoch'>) {
  const epoch = sourceDateEpoch ?? process.env.SOURCE_DATE_EPOCH;
  return epoch === undefined || 'SOURCE_DATE_EPOCH' in given
    ? given
    : { ...given, SOURCE_DATE_EPOCH: String(epoch) };
}
