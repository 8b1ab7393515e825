/** Which stage a name means, and what stages are called. */
import { didYouMean } from '@tsbuild/core';
import type { Dockerfile, Stage } from '@tsbuild/parser';
import { fault } from './fault.js';

/** `build`, or `stage-2` for one without a name. */
export function labelOf(stage: Stage): string {
  return stage.name ?? `stage-${stage.index}`;
}

export function stageNames(dockerfile: Dockerfile): string[] {
  return dockerfile.stages.flatMap(({ name }) => (name === undefined ? [] : [name]));
}

/** --target: any case, no index. */
export function findTarget(dockerfile: Dockerfile, target: string | undefined): Stage {
  const { stages } = dockerfile;
  const found = target ? stages.findLast(({ name }) => name === target.toLowerCase()) : stages.at(-1);
  if (found !== undefined) return found;
  const names = stageNames(dockerfile);
  const hint =
    names.length === 0
      ? 'No stage has a name: give one with FROM … AS name.'
      : `Stages are ${names.join(', ')}.`;
  throw fault(
    'NO_STAGE',
    `target stage ${JSON.stringify(target)} could not be found${didYouMean(target ?? '', names)}`,
    hint,
  );
}

/** FROM: exactly the name of an earlier stage; the latest wins. */
export function findBase({ stages }: Dockerfile, index: number, image: string): Stage | undefined {
  return stages.findLast(({ name }, at) => at < index && name === image);
}

/** COPY --from and a mount's from. Only COPY knows numbers. */
export function findSource(
  dockerfile: Dockerfile,
  stage: Stage,
  kind: 'copy' | 'mount',
  from: string,
): Stage | undefined {
  const wanted = from.toLowerCase();
  const found =
    kind === 'copy' && /^[-+]?\d+$/.test(from)
      ? byIndex(dockerfile, Number(from))
      : dockerfile.stages.findLast(({ name }) => name === wanted);
  if (found === undefined || found.index < stage.index) return found;
  const label = labelOf(stage);
  if (found.index === stage.index || needs(dockerfile, found, stage, new Set())) {
    throw fault(
      'CYCLE',
      `circular dependency detected on stage: ${label}`,
      'A stage cannot use its own files: move what it needs into a stage of its own before it.',
    );
  }
  const text =
    kind === 'copy'
      ? `cannot copy from stage ${JSON.stringify(from)}, it needs to be defined before current stage ${JSON.stringify(label)}`
      : `cannot mount from stage ${JSON.stringify(from)}, it needs to be defined before current stage ${JSON.stringify(label)}`;
  throw fault('STAGE_ORDER', text, `Move stage ${from} above stage ${label}.`);
}

/** Whether a stage uses another, by itself or through others. */
function needs(dockerfile: Dockerfile, user: Stage, used: Stage, seen: Set<Stage>): boolean {
  if (user === used) return true;
  if (seen.has(user)) return false;
  seen.add(user);
  const names = user.instructions.flatMap((each) =>
    each.kind === 'copy' && each.from ? [each.from.toLowerCase()] : [],
  );
  const direct = dockerfile.stages.filter(
    (each) =>
      each === findBase(dockerfile, user.index, user.from.image) ||
      names.includes(String(each.index)) ||
      (each.name !== undefined && names.includes(each.name)),
  );
  return direct.some((each) => needs(dockerfile, each, used, seen));
}

function byIndex({ stages }: Dockerfile, index: number): Stage {
  const found = stages[index];
  if (found !== undefined) return found;
  throw fault(
    'NO_STAGE',
    `invalid stage index ${index}`,
    stages.length === 1
      ? 'There is only stage 0: name an image, or an earlier stage.'
      : `Stages are numbered from 0 to ${stages.length - 1}.`,
  );
}

/**
 * Whether a step's stage has to be told: the file has several, or brings other images or mounts in (for which BuildKit
 * makes stages of its own).
 */
export function hasSeveralSources({ stages }: Dockerfile): boolean {
  if (stages.length > 1) return true;
  return stages.some(({ instructions }) =>
    instructions.some(
      (each) => (each.kind === 'copy' && each.from) || (each.kind === 'run' && each.mounts.length > 0),
    ),
  );
}
