/**
 * Everything planning asks the outside: which stages the target needs, and the images and contexts they are made of.
 * What is independent is asked in parallel; what is not needed is never asked.
 */
import { type Platform, type SourceRange, suggest, TsbuildError } from '@tsbuild/core';
import { type Dockerfile, type Instruction, mountSource, parseTrigger, type Stage } from '@tsbuild/parser';
import type { ResolvedImage, SourceResolver } from '../interfaces.js';
import type { GitOp, HttpOp, LocalOp } from '../ops.js';
import type { PlanOptions } from '../plan.js';
import { contextFor } from './contexts.js';
import type { Env } from './env.js';
import { fault, locate, placed } from './fault.js';
import { expandFrom, type FromWords } from './from-words.js';
import type { Located } from './lowering.js';
import { findSource, findTarget, labelOf, stageNames } from './stages.js';

/** What a name stands for. */
export type Source =
  | { type: 'stage'; index: number }
  | { type: 'scratch' }
  | { type: 'image'; image: ResolvedImage }
  | { type: 'files'; op: LocalOp | HttpOp | GitOp };

export interface PreparedStage {
  stage: Stage;
  platform: Platform;
  /** What FROM says, expanded. */
  image: string;
  base: Source;
  /** The base's triggers and the stage's own instructions; none where a named context took the stage's place. */
  instructions: Located[];
  /** By sourceKey. */
  sources: Map<string, Source>;
}

export interface PrepareRequest {
  dockerfile: Dockerfile;
  options: PlanOptions;
  resolver: SourceResolver;
  globals: Env;
}

export function sourceKey(kind: 'copy' | 'mount', from: string): string {
  return `${kind}:${from}`;
}

/** What FROM says, expanded, and what follows from it for the stage. */
interface Base {
  words: FromWords;
  /** The stage it is built on, if that is one. */
  parent: Stage | undefined;
  platform: Platform;
}

/** Asks for what targets need, one after the other; nothing twice. */
export class Preparation {
  readonly #request: PrepareRequest;
  readonly #bases: readonly Base[];
  readonly #controller = new AbortController();
  readonly #signal: AbortSignal;
  readonly #running = new Set<Promise<void>>();
  readonly #stages = new Map<number, PreparedStage>();
  readonly #needed = new Set<number>();
  readonly #names = new Map<string, Promise<Source>>();
  #failure: { error: unknown } | undefined;

  /** @throws TsbuildError TSB_GRAPH_* for a FROM that cannot be read */
  constructor(request: PrepareRequest) {
    this.#request = request;
    this.#bases = basesOf(request);
    this.#signal = AbortSignal.any([request.options.signal, this.#controller.signal]);
  }

  /**
   * @returns the target and every stage it needs, and those of targets before it
   * @throws TsbuildError TSB_GRAPH_*, TSB_PARSE_*, and what the resolver throws, with the place; nothing is left running
   */
  async stagesFor(target: Stage): Promise<ReadonlyMap<number, PreparedStage>> {
    this.#need(target.index);
    while (this.#running.size > 0) await Promise.all(this.#running);
    if (this.#failure !== undefined) throw this.#failure.error;
    return this.#stages;
  }

  /** Starts on the stage unless that has happened. */
  #need(index: number): void {
    if (this.#needed.has(index)) return;
    this.#needed.add(index);
    this.#start(() => this.#prepare(this.#stage(index)));
  }

  #start(work: () => Promise<void>): void {
    // Not at once: a stage that needs another that needs another … would fill the stack.
    const running = Promise.resolve()
      .then(work)
      .catch((error: unknown) => {
        this.#failure ??= { error };
        this.#controller.abort(error);
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  #stage(index: number): Stage {
    const stage = this.#request.dockerfile.stages[index];
    if (stage === undefined) throw new Error(`stage ${index} is not in the file`);
    return stage;
  }

  async #prepare(stage: Stage): Promise<void> {
    const { options } = this.#request;
    const range = stage.from.range;
    const { platform, parent, words } = this.#baseOf(stage);
    const replacement =
      stage.name === undefined ? undefined : contextFor(options.namedContexts, stage.name, platform);
    const { image } = words;
    // The stage's own instructions need nothing of the base, so their images are asked for at the same time.
    const own = replacement === undefined ? stage.instructions.map((each) => this.#own(each)) : [];
    const sources = new Map<string, Source>();
    const gathered = own.map((each) => this.#gather(stage, each, sources));
    const [base] = await Promise.all([
      this.#atPlace(range, () =>
        replacement === undefined && parent !== undefined
          ? this.#useStage(parent)
          : this.#resolve(stage, replacement ?? image, platform),
      ),
      ...gathered,
    ]);
    const triggers = replacement === undefined ? this.#triggers(stage, base) : [];
    await Promise.all(triggers.map((each) => this.#gather(stage, each, sources)));
    this.#stages.set(stage.index, {
      stage,
      platform,
      image,
      base,
      instructions: [...triggers, ...own],
      sources,
    });
  }

  #baseOf(stage: Stage): Base {
    const base = this.#bases[stage.index];
    if (base === undefined) throw new Error(`stage ${stage.index} has no FROM`);
    return base;
  }

  async #useStage(stage: Stage): Promise<Source> {
    this.#need(stage.index);
    return { type: 'stage', index: stage.index };
  }

  #own(instruction: Instruction): Located {
    const { dockerfile } = this.#request;
    const { range } = instruction;
    return {
      instruction,
      escape: dockerfile.escape,
      range,
      source: locate(dockerfile, range),
      trigger: false,
    };
  }

  /** What config.OnBuild of the base holds; for a stage, its ONBUILD lines. They run right after FROM. */
  #triggers(stage: Stage, base: Source): Located[] {
    const { dockerfile } = this.#request;
    const { range } = stage.from;
    const source = locate(dockerfile, range);
    return this.#triggerTexts(base).map((text) =>
      placed(source, labelOf(stage), () => ({
        instruction: parseTrigger(text),
        escape: '\\',
        range,
        source,
        trigger: true,
      })),
    );
  }

  #triggerTexts(base: Source): string[] {
    if (base.type === 'image') return base.image.config.config?.OnBuild ?? [];
    if (base.type !== 'stage') return [];
    const parent = this.#stage(base.index);
    return parent.instructions.flatMap((each) => (each.kind === 'onbuild' ? [each.trigger] : []));
  }

  /** Finds what the instruction's `from`s stand for. */
  async #gather(stage: Stage, { instruction, range }: Located, sources: Map<string, Source>): Promise<void> {
    const { dockerfile, options } = this.#request;
    for (const { kind, from } of namesIn(instruction)) {
      await this.#atPlace(
        range,
        async () => {
          const found = findSource(dockerfile, stage, kind, from);
          const source =
            found === undefined ? this.#resolve(stage, from, options.platform) : this.#useStage(found);
          sources.set(sourceKey(kind, from), await source);
        },
        labelOf(stage),
      );
    }
  }

  /** Asks once for each name and platform. */
  async #resolve(stage: Stage, name: string, platform: Platform): Promise<Source> {
    const key = JSON.stringify([name, platform]);
    const known = this.#names.get(key);
    const source = known ?? this.#ask(name, platform);
    this.#names.set(key, source);
    const found = await source;
    if (found.type === 'stage' && found.index === stage.index) {
      throw fault(
        'CYCLE',
        `circular dependency detected on stage: ${labelOf(stage)}`,
        'Let the context name another stage.',
      );
    }
    return found;
  }

  async #ask(name: string, platform: Platform): Promise<Source> {
    const { dockerfile, options, resolver } = this.#request;
    if (name === 'scratch') return { type: 'scratch' };
    const context = contextFor(options.namedContexts, name, platform);
    const found =
      context === undefined ? undefined : await resolver.resolveNamedContext(context, platform, this.#signal);
    if (found === undefined) {
      return { type: 'image', image: await this.#image(name, platform) };
    }
    if ('target' in found) return await this.#useStage(findTarget(dockerfile, found.target));
    if ('config' in found) return { type: 'image', image: found };
    return { type: 'files', op: found.op };
  }

  async #image(name: string, platform: Platform): Promise<ResolvedImage> {
    const { dockerfile, resolver } = this.#request;
    try {
      return await resolver.resolveImage(name, platform, this.#signal);
    } catch (error) {
      const near = suggest(name, stageNames(dockerfile));
      if (TsbuildError.is(error) && near !== undefined && !error.code.startsWith('TSB_CANCELLED_')) {
        error.hint = `No stage is called ${name}: did you mean ${near}? ${error.hint ?? ''}`.trim();
      }
      throw error;
    }
  }

  async #atPlace<T>(range: SourceRange, work: () => Promise<T>, stage?: string): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (TsbuildError.is(error)) error.with({ source: locate(this.#request.dockerfile, range), stage });
      throw error;
    }
  }
}

/** Of all stages; a stage without --platform has that of the stage it is built on. */
function basesOf({ dockerfile, globals, options }: PrepareRequest): Base[] {
  const named = new Map<string, Base & { stage: Stage }>();
  return dockerfile.stages.map((stage) => {
    const words = expandFrom(dockerfile, globals, stage);
    const parent = named.get(words.image);
    const platform = words.platform ?? parent?.platform ?? options.platform;
    const base = { words, parent: parent?.stage, platform };
    if (stage.name !== undefined) named.set(stage.name, { ...base, stage });
    return base;
  });
}

/** Stages and images an instruction names. */
function namesIn(instruction: Instruction): { kind: 'copy' | 'mount'; from: string }[] {
  if (instruction.kind === 'copy') return instruction.from ? [{ kind: 'copy', from: instruction.from }] : [];
  if (instruction.kind !== 'run') return [];
  return instruction.mounts.flatMap((raw) => {
    const from = mountSource(raw);
    return from ? [{ kind: 'mount' as const, from }] : [];
  });
}
