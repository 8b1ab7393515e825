/** Names of --cache-mount that do nothing: misspelt, or of mounts that do not travel. */
import { didYouMean } from '@tsbuild/core';
import type { BuildPlan } from '@tsbuild/solver';
import type { BuildOptions } from '../../api/types.js';
import type { WantedMount } from './wanted.js';

/** One message for each. */
export function unusedMounts(
  wanted: readonly WantedMount[],
  plans: readonly Pick<BuildPlan, 'vertices'>[],
  { cacheFrom = [], cacheTo = [] }: Pick<BuildOptions, 'cacheFrom' | 'cacheTo'>,
): string[] {
  if (wanted.length > 0 && cacheFrom.length === 0 && cacheTo.every(({ type }) => type === 'inline'))
    return [
      '--cache-mount has no effect without a --cache-from, or a --cache-to of another type than inline',
    ];
  const mounts = plans
    .flatMap(({ vertices }) => [...vertices.values()])
    .flatMap(({ op }) => (op.kind === 'run' ? op.mounts : []))
    .filter((mount) => mount.type === 'cache');
  return wanted.flatMap(({ name, id }) => {
    const own = mounts.filter((mount) => mount.id === id);
    if (own.some(({ from }) => from === undefined)) return [];
    if (own.length > 0)
      return `--cache-mount id=${name} has no effect: the mount begins with what its "from" names, and does not travel`;
    const space = id.slice(0, id.length - name.length);
    const known = mounts.flatMap((mount) => (mount.id.startsWith(space) ? mount.id.slice(space.length) : []));
    return `--cache-mount id=${name} has no effect: no step of this build has such a mount${didYouMean(name, known)}`;
  });
}
