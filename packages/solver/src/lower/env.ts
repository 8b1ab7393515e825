/** Environments: names with values, in the order they were last set, as BuildKit gives them to a step. */

import type { StageState } from './stage-state.js';

export type Env = ReadonlyMap<string, string>;

export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Of `NAME=value` entries, as image configs hold them. */
export function envOf(entries: readonly string[]): Map<string, string> {
  const env = new Map<string, string>();
  setVariables(env, entries.map(splitEntry));
  return env;
}

/** Sets the variables; one that was set before comes where the new ones are. */
export function setVariables(env: Map<string, string>, variables: Iterable<readonly [string, string]>): void {
  for (const [name, value] of variables) {
    env.delete(name);
    env.set(name, value);
  }
}

export function splitEntry(entry: string): [name: string, value: string] {
  const equals = entry.indexOf('=');
  return equals < 0 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
}

/** Position of the first entry of each name. */
export function positionsOf(entries: readonly string[]): Map<string, number> {
  const positions = new Map<string, number>();
  for (const [at, entry] of entries.entries()) {
    const [name] = splitEntry(entry);
    if (!positions.has(name)) positions.set(name, at);
  }
  return positions;
}

/** Sets a variable of the image: replaces the name's entry where it stands, or appends one. */
export function setEnv(
  { config, envAt }: Pick<StageState, 'config' | 'envAt'>,
  name: string,
  value: string,
): void {
  config.Env ??= [];
  const entry = `${name}=${value}`;
  const at = envAt.get(name);
  if (at !== undefined) config.Env[at] = entry;
  else envAt.set(name, config.Env.push(entry) - 1);
}
