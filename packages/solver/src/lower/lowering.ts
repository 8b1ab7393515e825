/** What lowering an instruction can use besides its stage: the file, the options, the graph, other stages. */
import type { SourceLocation, SourceRange } from '@tsbuild/core';
import {
  type Dockerfile,
  type EscapeToken,
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
  /** It comes from an ONBUILD of the base. */
  trigger: boolean;
}

export interface Lowering {
  dockerfile: Dockerfile;
  options: PlanOptions;
  graph: GraphBuilder;
  /** Global ARGs and the automatic ones. */
  globals: Env;
  /** Whether steps are shown with their stage. */
  showStage: boolean;
  /** SOURCE_DATE_EPOCH, seconds. */
  epoch?: number;
  /** The vertex that `--from` or a mount's `from` names, lowered; the build context without a name. */
  sourceOf(state: StageState, kind: 'copy' | 'mount', from: string | undefined): SourceVertex;
}

export interface SourceVertex {
  id: VertexId;
  /** A context folder, whose files have no owners of their own. */
  local: boolean;
}

/** Expands words of one instruction in the environment before it. */
export class Expander {
  readonly #escape: EscapeToken;
  readonly #env: Env;

  constructor(state: StageState, located: Located) {
    this.#escape = located.escape;
    this.#env = state.env;
  }

  word(raw: string): string {
    return expandWord(raw, this.#lookup, this.#escape).value;
  }

  words(raw: string): string[] {
    return expandWords(raw, this.#lookup, this.#escape).words;
  }

  heredoc({ body, expand }: Heredoc): string {
    return expand ? expandHeredoc(body, this.#lookup).value : body;
  }

  readonly #lookup = (name: string) => this.#env.get(name);
}
