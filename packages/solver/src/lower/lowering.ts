/** What lowering an instruction can use besides its stage: the file, the options, the graph, other stages. */
import { type SourceLocation, type SourceRange, suggest } from '@tsbuild/core';
import {
  type Dockerfile,
  type EscapeToken,
  type Expansion,
  expandHeredoc,
  expandWord,
  expandWords,
  type Heredoc,
  type Instruction,
} from '@tsbuild/parser';
import type { VertexId } from '../ops.js';
import type { PlanOptions } from '../plan.js';
import type { Env } from './env.js';
import type { GraphBuilder } from './graph-builder.js';
import type { StageState } from './stage-state.js';

/** An instruction of a stage, or a trigger that its base brought. */
export interface Located<I extends Instruction = Instruction> {
  instruction: I;
  escape: EscapeToken;
  /** Lines of the Dockerfile: a trigger of an image has those of FROM. */
  range: SourceRange;
  source: SourceLocation;
}

export interface Lowering {
  dockerfile: Dockerfile;
  options: PlanOptions;
  graph: GraphBuilder;
  /** Global ARGs and the automatic ones. */
  globals: Env;
  /** SOURCE_DATE_EPOCH, seconds. */
  epoch?: number;
  warn(rule: string, message: string, range: SourceRange): void;
  /** The vertex that `--from` or a mount's `from` names, lowered; the build context without a name. */
  sourceOf(state: StageState, kind: 'copy' | 'mount', from: string | undefined): SourceVertex;
}

export interface SourceVertex {
  id: VertexId;
  /** A context folder, whose files have no owners of their own. */
  local: boolean;
}

/** Expands words of one instruction in the environment before it, and reports names that are not set. */
export class Expander {
  readonly #lowering: Lowering;
  readonly #state: StageState;
  readonly #located: Located;
  readonly #env: Env;

  constructor(lowering: Lowering, state: StageState, located: Located) {
    this.#lowering = lowering;
    this.#state = state;
    this.#located = located;
    this.#env = state.env;
  }

  word(raw: string): string {
    return this.#checked(expandWord(raw, this.#lookup, this.#located.escape)).value;
  }

  words(raw: string): string[] {
    return this.#checked(expandWords(raw, this.#lookup, this.#located.escape)).words;
  }

  heredoc({ body, expand }: Heredoc): string {
    return expand ? this.#checked(expandHeredoc(body, this.#lookup)).value : body;
  }

  readonly #lookup = (name: string) => this.#env.get(name);

  #checked<T extends Pick<Expansion, 'unset'>>(expansion: T): T {
    for (const name of expansion.unset) {
      if (this.#state.args.some((arg) => arg.name === name)) continue;
      const near = suggest(name, this.#env.keys(), true);
      const hint = near === undefined ? '' : ` (did you mean $${near}?)`;
      this.#lowering.warn('UndefinedVar', `Usage of undefined variable '$${name}'${hint}`, this.#located.range);
    }
    return expansion;
  }
}
