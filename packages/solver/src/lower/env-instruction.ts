/** ENV and LABEL. */
import type { EnvInstruction, LabelInstruction } from '@tsbuild/parser';
import { withEntry, withVariables } from './env.js';
import { recordConfig } from './history.js';
import { Expander, type Located } from './lowering.js';
import type { StageState } from './stage-state.js';

/** All pairs of one instruction see the environment before it. */
export function lowerEnv(state: StageState, located: Located<EnvInstruction>): void {
  const pairs = expandPairs(state, located);
  let entries: string[] = state.config.Env ?? [];
  for (const [name, value] of pairs) entries = withEntry(entries, name, value);
  state.env = withVariables(state.env, pairs);
  state.config = { ...state.config, Env: entries };
  recordConfig(state, `ENV ${joinPairs(pairs)}`);
}

export function lowerLabel(state: StageState, located: Located<LabelInstruction>): void {
  const pairs = expandPairs(state, located);
  state.config = { ...state.config, Labels: { ...state.config.Labels, ...Object.fromEntries(pairs) } };
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
