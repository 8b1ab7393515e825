/** What a plan warns of: the build checks over the stages that are built, and build arguments without effect. */
import { formatPlatform } from '@tsbuild/core';
import {
  type CheckOptions,
  checkDockerfile,
  type Dockerfile,
  lintViolation,
  type Stage,
} from '@tsbuild/parser';
import type { ResolvedImage } from '../interfaces.js';
import type { PlanOptions, PlanWarning } from '../plan.js';
import { unusedArgs } from './arg.js';
import type { PreparedStage } from './prepare.js';

/** @throws TsbuildError TSB_LINT_VIOLATION where the file asks for it by `# check=error=true` */
export function planWarnings(
  dockerfile: Dockerfile,
  options: PlanOptions,
  target: Stage,
  prepared: ReadonlyMap<number, PreparedStage>,
): PlanWarning[] {
  const checkOptions = checksOf(options, target, prepared);
  const lints = checkDockerfile(dockerfile, checkOptions);
  const violation = lintViolation(dockerfile, lints, checkOptions);
  if (violation !== undefined) throw violation;
  const warnings: PlanWarning[] = lints.map(({ rule, message, description, url, range }) => ({
    rule,
    message,
    detail: description,
    ...(url === undefined ? {} : { url }),
    range,
  }));
  const unused = unusedArgs(dockerfile, triggerArgs(prepared), options);
  if (unused.length === 0) return warnings;
  return [
    ...warnings,
    { rule: 'UnusedBuildArg', message: `One or more build-args [${unused.join(' ')}] were not consumed` },
  ];
}

function checksOf(
  options: PlanOptions,
  target: Stage,
  prepared: ReadonlyMap<number, PreparedStage>,
): CheckOptions {
  const images = new Map<string, ResolvedImage>();
  for (const { image, base } of prepared.values()) {
    if (base.type === 'image' && !images.has(image)) images.set(image, base.image);
  }
  return {
    buildArgs: options.buildArgs,
    targetPlatform: formatPlatform(options.platform),
    buildPlatform: formatPlatform(options.buildPlatform),
    ...(target.name === undefined ? {} : { target: target.name }),
    stages: new Set(prepared.keys()),
    ...(options.ignore === undefined ? {} : { ignore: options.ignore }),
    baseImage(reference) {
      const config = images.get(reference)?.config;
      if (config === undefined) return undefined;
      const platform = config.architecture ? { platform: formatPlatform(config) } : {};
      const { Env, Shell, OnBuild } = config.config ?? {};
      return { env: Env ?? [], shell: Shell ?? [], onbuild: OnBuild ?? [], ...platform };
    },
  };
}

/** Names that triggers of base images declare. */
function triggerArgs(prepared: ReadonlyMap<number, PreparedStage>): Set<string> {
  const names = new Set<string>();
  for (const { instructions } of prepared.values()) {
    for (const { instruction } of instructions) {
      if (instruction.kind === 'arg') for (const { name } of instruction.args) names.add(name);
    }
  }
  return names;
}
