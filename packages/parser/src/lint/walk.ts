/**
 * Walks the stages as a build would, but for files and commands: keeps the environment, expands every word that a
 * build expands, and notes which names were missing. Rules read the result.
 */
import type { SourceRange } from '@tsbuild/core';
import type { Dockerfile, FromInstruction, Instruction, Stage } from '../ast.js';
import { expandHeredoc, expandWord, expandWords } from '../expand.js';
import { parseMount } from '../mount.js';
import { none } from '../none.js';
import { parseTrigger } from '../parse.js';
import { automaticArgs, expandNoting, globalScope, guard, type LintWord, own } from './globals.js';
import type { BaseImageFacts, CheckOptions } from './types.js';

/** Variables in order of definition. */
export type LintVariables = ReadonlyMap<string, string>;

export interface LintFrom {
  image: LintWord;
  platform?: LintWord;
}

export interface LintStep {
  instruction: Instruction;
  /** Its own place; for a trigger of the base, the FROM that fired it. */
  range: SourceRange;
  trigger: boolean;
  /** SHELL was set before, here or in the base. */
  shellSet: boolean;
  /** Names that are missing here, without those that ARG declares; empty if the base's environment is unknown. */
  undefined: string[];
  /** Names that a missing one may have been meant to be; none if there are too many to compare. */
  known: readonly string[];
  /** Path of WORKDIR, ports of EXPOSE, sources of COPY and ADD, expanded. */
  values: string[];
}

export interface LintStage {
  stage: Stage;
  from: LintFrom;
  /** Index of the stage it is built on. */
  parent?: number;
  base?: BaseImageFacts;
  steps: LintStep[];
}

interface Scope {
  env: Map<string, string>;
  declared: Set<string>;
  /** False where the base image's environment is not known. */
  complete: boolean;
  shellSet: boolean;
  /** Names of `env`, until there is a new one. */
  names?: readonly string[] | undefined;
}

/** Most names that a missing one is compared with. */
const maxKnown = 1000;

export interface Walk {
  globals: Map<string, string>;
  defaults: Map<string, string>;
  stages: LintStage[];
}

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function walk(file: Dockerfile, options: CheckOptions): Walk {
  const automatic = automaticArgs(file, options);
  const globals = globalScope(file, options, automatic, options.buildArgs ?? {});
  const defaults = globalScope(file, options, automatic, {});
  const scopes: Scope[] = [];
  /** FROM names a stage only as written in lower case, and only an earlier one; the latest wins. */
  const named = new Map<string, number>();
  const stages = file.stages.map((stage): LintStage => {
    const from = expandFrom(stage.from, globals, file, options);
    const parent = named.get(from.image.value);
    if (stage.name !== undefined) named.set(stage.name, stage.index);
    const platform = from.platform?.value || (options.targetPlatform ?? 'linux/amd64');
    const base =
      parent === undefined && from.image.value !== 'scratch'
        ? options.baseImage?.(from.image.value, platform)
        : undefined;
    const scope = startScope(from.image.value, parent === undefined ? undefined : scopes[parent], base);
    scopes.push(scope);
    const triggers = triggersOf(parent === undefined ? base?.onbuild : onbuildOf(file, parent));
    const steps = [
      ...triggers.map((instruction) => step(instruction, stage.from.range, true)),
      ...stage.instructions.map((instruction) => step(instruction, instruction.range, false)),
    ];
    for (const each of steps) runStep(each, scope, globals, file, options);
    return {
      stage,
      from,
      steps,
      ...(parent === undefined ? {} : { parent }),
      ...(base === undefined ? {} : { base }),
    };
  });
  return { globals, defaults, stages };
}

function expandFrom(
  from: FromInstruction,
  globals: LintVariables,
  file: Dockerfile,
  options: CheckOptions,
): LintFrom {
  const word = (raw: string): LintWord =>
    guard(options, file, from.range, () => expandNoting(raw, globals, file)) ?? {
      value: '',
      used: [],
      unset: [],
    };
  return {
    image: word(from.image),
    ...(from.platform === undefined ? {} : { platform: word(from.platform) }),
  };
}

function startScope(image: string, parent: Scope | undefined, base: BaseImageFacts | undefined): Scope {
  if (parent !== undefined)
    return { ...parent, env: new Map(parent.env), declared: new Set(parent.declared) };
  const env = new Map<string, string>();
  for (const pair of base?.env ?? []) {
    const equals = pair.indexOf('=');
    if (equals > 0) env.set(pair.slice(0, equals), pair.slice(equals + 1));
  }
  if (!env.has('PATH')) env.set('PATH', defaultPath);
  const complete = image === 'scratch' || base?.env !== undefined;
  return { env, declared: new Set(), complete, shellSet: (base?.shell?.length ?? 0) > 0 };
}

function onbuildOf(file: Dockerfile, index: number): string[] {
  const instructions = file.stages[index]?.instructions ?? [];
  return instructions.flatMap((instruction) => (instruction.kind === 'onbuild' ? [instruction.trigger] : []));
}

function triggersOf(texts: readonly string[] | undefined): Instruction[] {
  return (texts ?? []).flatMap((text) => {
    try {
      return [parseTrigger(text)];
    } catch {
      // Told when the trigger is built; nothing here can be checked.
      return [];
    }
  });
}

function step(instruction: Instruction, range: SourceRange, trigger: boolean): LintStep {
  return { instruction, range, trigger, shellSet: false, undefined: [], known: [], values: [] };
}

function runStep(
  each: LintStep,
  scope: Scope,
  globals: LintVariables,
  file: Dockerfile,
  options: CheckOptions,
): void {
  const { instruction } = each;
  const missing = new Set<string>();
  const { env } = scope;
  const set = (name: string, value: string): void => {
    if (!env.has(name)) scope.names = undefined;
    env.set(name, value);
  };
  /** All pairs of one ENV see the environment before it. */
  let pairs: [name: string, value: string][] = [];
  each.shellSet = scope.shellSet;
  const note = <T extends { unset: string[] }>(result: T): T => {
    for (const name of result.unset) missing.add(name);
    return result;
  };
  const word = (raw: string | undefined): string => {
    if (raw === undefined) return '';
    const escape = each.trigger ? '\\' : file.escape;
    const result = guard(options, file, each.range, () => expandWord(raw, (name) => env.get(name), escape));
    return result === undefined ? '' : note(result).value;
  };
  switch (instruction.kind) {
    case 'arg':
      for (const { name, value } of instruction.args) {
        const given = own(options.buildArgs ?? {}, name);
        const text = given ?? (value === undefined ? globals.get(name) : word(value));
        scope.declared.add(name);
        // Items of one ARG see the ones before.
        if (text !== undefined && (value !== undefined || given !== undefined || text !== ''))
          set(name, text);
      }
      break;
    case 'env':
      pairs = instruction.pairs.map(({ key, value }) => [word(key), word(value)]);
      break;
    case 'label':
      for (const { key, value } of instruction.pairs) {
        word(key);
        word(value);
      }
      break;
    case 'workdir':
      each.values = [word(instruction.path)];
      break;
    case 'user':
      word(instruction.user);
      break;
    case 'stopsignal':
      word(instruction.signal);
      break;
    case 'volume':
      for (const path of instruction.paths) word(path);
      break;
    case 'expose':
      each.values = [...instruction.ports].sort().flatMap((port) => {
        const escape = each.trigger ? '\\' : file.escape;
        const result = guard(options, file, each.range, () =>
          expandWords(port, (name) => env.get(name), escape),
        );
        // BuildKit does not report the names that are missing here.
        return result?.words ?? [];
      });
      break;
    case 'copy':
    case 'add':
      word(instruction.chown);
      word(instruction.chmod);
      if (instruction.kind === 'add') word(instruction.checksum);
      each.values = instruction.sources.map(word);
      for (const { expand: open, body } of instruction.heredocs) {
        if (!open) continue;
        const result = guard(options, file, each.range, () => expandHeredoc(body, (name) => env.get(name)));
        if (result !== undefined) note(result);
      }
      word(instruction.destination);
      break;
    case 'run':
      for (const mount of instruction.mounts) guard(options, file, each.range, () => parseMount(mount, word));
      break;
    case 'shell':
      scope.shellSet = true;
      break;
    default:
      break;
  }
  if (scope.complete && missing.size > 0) {
    each.undefined = [...missing].filter((name) => !scope.declared.has(name));
    each.known = knownNames(scope, globals);
  }
  for (const [name, value] of pairs) set(name, value);
}

function knownNames(scope: Scope, globals: LintVariables): readonly string[] {
  if (globals.size + scope.env.size > maxKnown) return none;
  scope.names ??= [...globals.keys(), ...scope.env.keys()];
  return scope.names;
}
