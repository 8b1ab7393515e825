/** Lowers stages: the base first, then its triggers and the instructions in order. */
import type { Instruction } from '@tsbuild/parser';
import type { VertexId } from '../ops.js';
import { lowerArg } from './arg.js';
import {
  lowerCmd,
  lowerEntrypoint,
  lowerHealthcheck,
  lowerMaintainer,
  lowerOnbuild,
  lowerShell,
  lowerStopsignal,
  lowerUser,
  lowerVolume,
} from './config.js';
import { lowerFiles } from './copy.js';
import { imageName } from './display.js';
import { lowerEnv, lowerLabel } from './env-instruction.js';
import { lowerExpose } from './expose.js';
import { fault, placed } from './fault.js';
import type { Located, Lowering, SourceVertex } from './lowering.js';
import { type PreparedStage, type Source, sourceKey } from './prepare.js';
import { lowerRun } from './run.js';
import { contextName, scratch, startStage } from './start-stage.js';
import { labelOf } from './stages.js';
import type { StageState } from './stage-state.js';
import { lowerWorkdir } from './workdir.js';

export class StageLowerer {
  readonly #lowering: Lowering;
  readonly #prepared: ReadonlyMap<number, PreparedStage>;
  readonly #done = new Map<number, StageState>();
  readonly #open = new Set<number>();

  constructor(lowering: Omit<Lowering, 'sourceOf'>, prepared: ReadonlyMap<number, PreparedStage>) {
    this.#lowering = { ...lowering, sourceOf: (state, kind, from) => this.#sourceOf(state, kind, from) };
    this.#prepared = prepared;
  }

  /** The stage after its last instruction; each is lowered once. */
  lower(index: number): StageState {
    for (const deep of this.#landings(index)) this.#lower(deep);
    return this.#lower(index);
  }

  /** Of a long chain of stages that need each other every hundredth, the deepest first: no stack holds all of them. */
  #landings(target: number): number[] {
    const landings: number[] = [];
    const depths = new Map<number, number>();
    const open: { index: number; needs: number[]; depth: number }[] = [];
    const enter = (index: number): void => {
      depths.set(index, 0);
      open.push({ index, needs: needsOf(this.#stage(index)), depth: 0 });
    };
    enter(target);
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const next = top.needs.pop();
      if (next === undefined) {
        open.pop();
        depths.set(top.index, top.depth);
        if (top.depth > 0 && top.depth % 100 === 0) landings.push(top.index);
        const user = open.at(-1);
        if (user !== undefined) user.depth = Math.max(user.depth, top.depth + 1);
        continue;
      }
      const known = this.#done.has(next) ? 0 : depths.get(next);
      if (known === undefined) enter(next);
      else top.depth = Math.max(top.depth, known + 1);
    }
    return landings;
  }

  #lower(index: number): StageState {
    const known = this.#done.get(index);
    if (known !== undefined) return known;
    const prepared = this.#stage(index);
    if (this.#open.has(index)) {
      throw fault(
        'CYCLE',
        `circular dependency detected on stage: ${labelOf(prepared.stage)}`,
        'Let no stage need itself through a named context.',
      );
    }
    this.#open.add(index);
    const { base, instructions } = prepared;
    const state = startStage(
      this.#lowering,
      prepared,
      base.type === 'stage' ? this.#lower(base.index) : undefined,
    );
    for (const located of instructions) {
      placed(located.source, state.label, () => lowerInstruction(this.#lowering, state, located));
    }
    this.#open.delete(index);
    this.#done.set(index, state);
    return state;
  }

  #stage(index: number): PreparedStage {
    const prepared = this.#prepared.get(index);
    if (prepared === undefined) throw new Error(`stage ${index} was not prepared`);
    return prepared;
  }

  #sourceOf(state: StageState, kind: 'copy' | 'mount', from: string | undefined): SourceVertex {
    if (!from) return { id: this.#context('context', state), local: true };
    const source = this.#stage(state.index).sources.get(sourceKey(kind, from));
    if (source === undefined) throw new Error(`${kind} source ${from} was not prepared`);
    if (source.type === 'files' && source.op.kind === 'local') {
      return { id: this.#context(source.op.name, state), local: true };
    }
    return { id: this.#vertexOf(source), local: false };
  }

  #vertexOf(source: Source): VertexId {
    const { graph, options } = this.#lowering;
    const { platform } = options;
    switch (source.type) {
      case 'stage':
        return this.#lower(source.index).root;
      case 'scratch':
        return scratch(this.#lowering, platform);
      case 'image': {
        const { op } = source.image;
        return graph.add({ op, name: `FROM ${imageName(op)}`, platform, ignoreCache: false });
      }
      case 'files': {
        const { op } = source;
        const name = op.kind === 'http' ? op.url : op.kind === 'git' ? op.remote : op.name;
        return graph.add({ op, name, platform, ignoreCache: false });
      }
    }
  }

  #context(name: string, { platform }: StageState): VertexId {
    return this.#lowering.graph.add({
      op: { kind: 'local', name },
      name: contextName(name),
      platform,
      ignoreCache: false,
    });
  }
}

function needsOf({ base, sources }: PreparedStage): number[] {
  return [base, ...sources.values()].flatMap((source) => (source.type === 'stage' ? [source.index] : []));
}

function isKind<K extends Instruction['kind']>(
  located: Located,
  kind: K,
): located is Located<Extract<Instruction, { kind: K }>> {
  return located.instruction.kind === kind;
}

function lowerInstruction(lowering: Lowering, state: StageState, located: Located): void {
  if (isKind(located, 'run')) lowerRun(lowering, state, located);
  else if (isKind(located, 'copy')) lowerFiles(lowering, state, located);
  else if (isKind(located, 'add')) lowerFiles(lowering, state, located);
  else if (isKind(located, 'workdir')) lowerWorkdir(lowering, state, located);
  else if (isKind(located, 'env')) lowerEnv(state, located);
  else if (isKind(located, 'arg')) lowerArg(lowering, state, located);
  else if (isKind(located, 'label')) lowerLabel(state, located);
  else if (isKind(located, 'user')) lowerUser(state, located);
  else if (isKind(located, 'cmd')) lowerCmd(state, located);
  else if (isKind(located, 'entrypoint')) lowerEntrypoint(state, located);
  else if (isKind(located, 'shell')) lowerShell(state, located);
  else if (isKind(located, 'expose')) lowerExpose(state, located);
  else if (isKind(located, 'volume')) lowerVolume(state, located);
  else if (isKind(located, 'stopsignal')) lowerStopsignal(state, located);
  else if (isKind(located, 'healthcheck')) lowerHealthcheck(state, located);
  else if (isKind(located, 'maintainer')) lowerMaintainer(state, located);
  else if (isKind(located, 'onbuild')) lowerOnbuild(state, located);
}
