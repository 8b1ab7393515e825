/**
 * What a Dockerfile offers to whoever builds it, as BuildKit's subrequests `frontend.outline` and `frontend.targets`
 * tell it: arguments, secrets and SSH keys that a target takes, and the targets themselves. Nothing is resolved: images
 * are not asked for their variables and triggers.
 */
import type {
  Lines,
  Outline,
  OutlineArg,
  OutlineInput,
  OutlineTarget,
  Platform,
  SourceRange,
} from '@tsbuild/core';
import {
  type ArgInstruction,
  type Dockerfile,
  type EscapeToken,
  expandWord,
  type Instruction,
  parseMount,
  parseTrigger,
  type Stage,
} from '@tsbuild/parser';
import { globalArgs, own } from './lower/arg.js';
import { defaultPath } from './lower/env.js';
import { locate, placed } from './lower/fault.js';
import { expandFrom } from './lower/from-words.js';
import { secretId, sshId } from './lower/mounts.js';
import { findBase, findSource, findTarget, labelOf } from './lower/stages.js';

export interface OutlineOptions {
  target?: string;
  buildArgs: Readonly<Record<string, string>>;
  platform: Platform;
  buildPlatform: Platform;
}

export function targetsOf(dockerfile: Dockerfile): OutlineTarget[] {
  const last = dockerfile.stages.length - 1;
  return dockerfile.stages.map(({ index, name, from }) => {
    const text = describe(from.comments, name);
    return {
      ...(name === undefined ? {} : { name }),
      ...(text === undefined ? {} : { description: text }),
      default: index === last,
      base: from.image,
      ...(from.platform === undefined ? {} : { platform: from.platform }),
      lines: linesOf(from),
    };
  });
}

/**
 * What the target and the stages it needs take.
 * @throws TsbuildError TSB_GRAPH_NO_STAGE, TSB_GRAPH_CYCLE, TSB_GRAPH_STAGE_ORDER, TSB_PARSE_*
 */
export function outlineOf(dockerfile: Dockerfile, options: OutlineOptions): Outline {
  const target = findTarget(dockerfile, options.target);
  const walk = new OutlineWalk(dockerfile, options, target);
  walk.list(target);
  const text = describe(target.from.comments, target.name);
  return {
    ...(target.name === undefined ? {} : { name: target.name }),
    ...(text === undefined ? {} : { description: text }),
    args: inOrder(walk.args),
    secrets: inOrder(walk.secrets),
    ssh: inOrder(walk.ssh),
  };
}

/** Indexes of the target and of the stages it needs. @throws as outlineOf does */
export function stagesNeeded(dockerfile: Dockerfile, options: OutlineOptions): ReadonlySet<number> {
  const target = findTarget(dockerfile, options.target);
  const walk = new OutlineWalk(dockerfile, options, target);
  walk.list(target);
  return walk.stages;
}

/** An ARG before the first FROM, which counts once something uses it. */
interface GlobalArg {
  arg: OutlineArg;
  uses: readonly string[];
}

/** A stage that was walked. */
interface Walked {
  /** At its end. */
  env: ReadonlyMap<string, string>;
  /** Its own, by name; those it only passes on from the global scope are left to `used`. */
  args: ReadonlyMap<string, OutlineArg>;
  used: ReadonlySet<string>;
  secrets: ReadonlyMap<string, OutlineInput>;
  ssh: ReadonlyMap<string, OutlineInput>;
  /** Stages it needs, the one it is built on first. */
  needs: readonly Stage[];
}

class OutlineWalk {
  readonly args = new Map<string, OutlineArg>();
  readonly secrets = new Map<string, OutlineInput>();
  readonly ssh = new Map<string, OutlineInput>();
  readonly stages = new Set<number>();
  readonly #dockerfile: Dockerfile;
  readonly #options: OutlineOptions;
  readonly #globals: ReadonlyMap<string, string>;
  readonly #globalArgs: ReadonlyMap<string, GlobalArg>;
  readonly #walked = new Map<number, Walked>();

  constructor(dockerfile: Dockerfile, options: OutlineOptions, target: Stage) {
    this.#dockerfile = dockerfile;
    this.#options = options;
    this.#globals = globalArgs(dockerfile, options, target.name);
    this.#globalArgs = new Map(
      dockerfile.metaArgs.flatMap((instruction) =>
        instruction.args.map(({ name, value }): [string, GlobalArg] => {
          const given = own(options.buildArgs, name) !== undefined;
          const arg = argOf(instruction, name, this.#globals.get(name));
          return [name, { arg, uses: given ? [] : this.#namesIn(value) }];
        }),
      ),
    );
  }

  /** Lists what a stage takes, then what the stages it needs take: of two of a name the first stays. */
  list(stage: Stage): void {
    if (this.stages.has(stage.index)) return;
    this.stages.add(stage.index);
    const walked = this.#walk(stage);
    for (const name of walked.used) this.#listArg(name, walked.args);
    addMissing(this.secrets, walked.secrets);
    addMissing(this.ssh, walked.ssh);
    for (const each of walked.needs) this.list(each);
  }

  #listArg(name: string, own: ReadonlyMap<string, OutlineArg>): void {
    const global = this.#globalArgs.get(name);
    const arg = own.get(name) ?? global?.arg;
    if (arg === undefined || this.args.has(name)) return;
    this.args.set(name, arg);
    if (!own.has(name)) for (const each of global?.uses ?? []) this.#listArg(each, own);
  }

  #walk(stage: Stage): Walked {
    const known = this.#walked.get(stage.index);
    if (known !== undefined) return known;
    const { image } = expandFrom(this.#dockerfile, this.#globals, stage);
    const parent = findBase(this.#dockerfile, stage.index, image);
    const { from } = stage;
    const below = parent === undefined ? undefined : this.#walk(parent);
    const state: StageWalk = {
      stage,
      env: new Map(below?.env ?? [['PATH', defaultPath]]),
      args: new Map(),
      // What the stage below uses is used here too: of a global argument the global text comes first then.
      used: new Set([...this.#namesIn(from.image), ...this.#namesIn(from.platform), ...(below?.used ?? [])]),
      secrets: new Map(),
      ssh: new Map(),
      needs: parent === undefined ? [] : [parent],
    };
    for (const { trigger } of parent?.instructions.filter((each) => each.kind === 'onbuild') ?? []) {
      this.#at(stage, from.range, () => this.#instruction(state, parseTrigger(trigger), linesOf(from), '\\'));
    }
    for (const each of stage.instructions) {
      this.#at(stage, each.range, () =>
        this.#instruction(state, each, linesOf(each), this.#dockerfile.escape),
      );
    }
    this.#walked.set(stage.index, state);
    return state;
  }

  #at(stage: Stage, range: SourceRange, work: () => void): void {
    placed(locate(this.#dockerfile, range), labelOf(stage), work);
  }

  #instruction(state: StageWalk, instruction: Instruction, lines: Lines, escape: EscapeToken): void {
    const before = new Map(state.env);
    const word = (raw: string) => expandWord(raw, (name) => before.get(name), escape).value;
    switch (instruction.kind) {
      case 'arg':
        for (const { name, value } of instruction.args)
          this.#arg(state, instruction, lines, name, value, escape);
        break;
      case 'env':
        for (const { key, value } of instruction.pairs) state.env.set(word(key), word(value));
        break;
      case 'copy':
        if (instruction.from) this.#need(state, 'copy', instruction.from);
        break;
      case 'run':
        for (const raw of instruction.mounts) {
          const spec = parseMount(raw, word);
          if (spec.from) this.#need(state, 'mount', spec.from);
          const { required } = spec;
          if (spec.type === 'secret') addInput(state.secrets, { name: secretId(spec), required, lines });
          if (spec.type === 'ssh') addInput(state.ssh, { name: sshId(spec), required, lines });
        }
        break;
      default:
        break;
    }
  }

  #arg(
    state: StageWalk,
    instruction: ArgInstruction,
    lines: Lines,
    name: string,
    written: string | undefined,
    escape: EscapeToken,
  ): void {
    const given = own(this.#options.buildArgs, name);
    const value =
      given ??
      (written === undefined
        ? this.#globals.get(name)
        : expandWord(written, (used) => state.env.get(used), escape).value);
    if (value !== undefined) state.env.set(name, value);
    state.used.add(name);
    // One that only brings a global argument's default in is described where that stands.
    if (written === undefined && given === undefined && this.#globals.has(name)) return;
    state.args.set(name, { ...argOf(instruction, name, value), lines });
  }

  #need(state: StageWalk, kind: 'copy' | 'mount', from: string): void {
    const stage = findSource(this.#dockerfile, state.stage, kind, from);
    if (stage !== undefined) state.needs.push(stage);
  }

  /** Global names that a word of the global scope uses. */
  #namesIn(raw: string | undefined): string[] {
    const used = new Set<string>();
    if (raw === undefined) return [];
    const lookup = (name: string) => {
      const value = this.#globals.get(name);
      if (value !== undefined) used.add(name);
      return value;
    };
    expandWord(raw, lookup, this.#dockerfile.escape);
    return [...used];
  }
}

interface StageWalk extends Walked {
  stage: Stage;
  env: Map<string, string>;
  args: Map<string, OutlineArg>;
  used: Set<string>;
  secrets: Map<string, OutlineInput>;
  ssh: Map<string, OutlineInput>;
  needs: Stage[];
}

function argOf(instruction: ArgInstruction, name: string, value: string | undefined): OutlineArg {
  const text = describe(instruction.comments, name);
  return {
    name,
    ...(text === undefined ? {} : { description: text }),
    ...(value === undefined ? {} : { value }),
    lines: linesOf(instruction),
  };
}

/** Of a comment `# NAME text`; the first one counts. */
function describe(comments: readonly string[], name: string | undefined): string | undefined {
  return comments.find((comment) => comment.startsWith(`${name} `))?.slice((name?.length ?? 0) + 1);
}

function linesOf({ range }: { range: SourceRange }): Lines {
  return { start: range.startLine, end: range.endLine };
}

function addInput(inputs: Map<string, OutlineInput>, input: OutlineInput): void {
  if (!inputs.has(input.name)) inputs.set(input.name, input);
}

function addMissing<T>(all: Map<string, T>, more: ReadonlyMap<string, T>): void {
  for (const [name, value] of more) if (!all.has(name)) all.set(name, value);
}

function inOrder<T extends { lines: Lines }>(entries: ReadonlyMap<string, T>): T[] {
  return [...entries.values()].sort((a, b) => a.lines.start - b.lines.start);
}
