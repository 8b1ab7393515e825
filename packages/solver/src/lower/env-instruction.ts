/** ENV and LABEL. */
import type { EnvInstruction, LabelInstruction } from '@tsbuild/parser';
import { addEntries } from './entries.js';
import { setEnv, setVariables } from './env.js';
import { recordConfig } from './history.js';
import { Expander, type Located } from './lowering.js';
import type { StageState } from './stage-state.js';

/** All pairs of one instruction see the environment before it. */
export function lowerEnv(state: StageState, located: Located<EnvInstruction>): void {
  const pairs = expandPairs(state, located);
  for (const [name, value] of pairs) setEnv(state, name, value);
  setVariables(state.env, pairs);
  recordConfig(state, `ENV ${joinPairs(pairs)}`);
}

export function lowerLabel(state: StageState, located: Located<LabelInstruction>): void {
  const pairs = expandPairs(state, located);
  state.config.Labels = addEntries(state.config.Labels, pairs);
  recordConfig(state, `LABEL ${joinPairs(pairs)}`);
}

function expandPairs(
  state: StageState,
  located: Located<EnvInstruction | LabelInstruction>,
): [string, string][] {
  const expander = new Expander(state, located);
  return located.instruction.pairs.map(({ key, value }) => [expander.word(key), expander.word(value)]);
}

function joinPairs(pairs: readonly [string, string][]): string {
  return pairs.map(([name, value]) => `${name}=${value}`).join(' ');
}
