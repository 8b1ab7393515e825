/** ARG, in a stage and before the first one. */
import { formatPlatform, type Platform } from '@tsbuild/core';
import { type ArgInstruction, type Dockerfile, expandWord } from '@tsbuild/parser';
import type { PlanOptions } from '../plan.js';
import { type Env, setVariables } from './env.js';
import { locate, placed } from './fault.js';
import { recordConfig } from './history.js';
import { Expander, type Located, type Lowering } from './lowering.js';
import type { StageState } from './stage-state.js';

/** ARGs that need no declaration to be given, in any letter case. */
export const proxyNames = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'];

/** Items see the ones before them. A --build-arg is taken as it is; a default is expanded. */
export function lowerArg(lowering: Lowering, state: StageState, located: Located<ArgInstruction>): void {
  const texts = located.instruction.args.map(({ name, value: written }) => {
    const value = argValue(lowering, state, located, name, written);
    state.args.push(value === undefined ? { name } : { name, value });
    if (value !== undefined) setVariables(state.env, [[name, value]]);
    return value === undefined ? name : `${name}=${value}`;
  });
  recordConfig(state, `ARG ${texts.join(' ')}`);
}

function argValue(
  lowering: Lowering,
  state: StageState,
  located: Located,
  name: string,
  written: string | undefined,
): string | undefined {
  const given = own(lowering.options.buildArgs, name);
  if (given !== undefined) return given;
  if (written !== undefined) return new Expander(state, located).word(written);
  return lowering.globals.get(name);
}

/** Options that the global scope depends on. */
export type GlobalOptions = Pick<PlanOptions, 'buildArgs' | 'platform' | 'buildPlatform'>;

/** The ARGs before the first FROM on top of the automatic ones: each sees those before it. */
export function globalArgs(
  dockerfile: Dockerfile,
  options: GlobalOptions,
  targetName: string | undefined,
): Env {
  const globals = new Map<string, string>();
  for (const [name, value] of automaticArgs(options, targetName)) {
    globals.set(name, own(options.buildArgs, name) ?? value);
  }
  for (const instruction of dockerfile.metaArgs) {
    for (const { name, value: written } of instruction.args) {
      const value =
        own(options.buildArgs, name) ??
        (written === undefined
          ? undefined
          : placed(locate(dockerfile, instruction.range), undefined, () =>
              expandWord(written, (used) => globals.get(used), dockerfile.escape),
            ).value);
      if (value !== undefined) globals.set(name, value);
    }
  }
  return globals;
}

function automaticArgs(options: GlobalOptions, targetName: string | undefined): [string, string][] {
  return [
    ...platformArgs('BUILD', options.buildPlatform),
    ...platformArgs('TARGET', options.platform),
    ['TARGETSTAGE', targetName ?? 'default'],
  ];
}

function platformArgs(prefix: string, platform: Platform): [string, string][] {
  return [
    [`${prefix}PLATFORM`, formatPlatform(platform)],
    [`${prefix}OS`, platform.os],
    [`${prefix}OSVERSION`, platform['os.version'] ?? ''],
    [`${prefix}ARCH`, platform.architecture],
    [`${prefix}VARIANT`, platform.variant ?? ''],
  ];
}

/** Values of --build-arg for the proxies, in both cases of their names. */
export function proxyEnv(buildArgs: Readonly<Record<string, string>>): [string, string][] {
  return proxyNames.flatMap((name): [string, string][] => {
    const given = Object.entries(buildArgs).find(([key]) => key.toUpperCase() === name);
    return given === undefined
      ? []
      : [
          [name, given[1]],
          [name.toLowerCase(), given[1]],
        ];
  });
}

/** Names of --build-arg that nothing in the file declares and that mean nothing to the builder itself. */
export function unusedArgs(
  dockerfile: Dockerfile,
  declared: ReadonlySet<string>,
  options: PlanOptions,
): string[] {
  const known = new Set([...declared, ...automaticArgs(options, undefined).map(([name]) => name)]);
  for (const { args } of dockerfile.metaArgs) for (const { name } of args) known.add(name);
  for (const { instructions } of dockerfile.stages) {
    for (const instruction of instructions) {
      if (instruction.kind === 'arg') for (const { name } of instruction.args) known.add(name);
    }
  }
  return Object.keys(options.buildArgs).filter(
    (name) =>
      !known.has(name) &&
      !proxyNames.includes(name.toUpperCase()) &&
      !name.startsWith('BUILDKIT_') &&
      name !== 'SOURCE_DATE_EPOCH',
  );
}

export function own(record: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}
