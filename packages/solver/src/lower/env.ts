/** Environments: names with values, in the order they were last set, as BuildKit gives them to a step. */

export type Env = ReadonlyMap<string, string>;

export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Of `NAME=value` entries, as image configs hold them. */
export function envOf(entries: readonly string[]): Map<string, string> {
  return withVariables(new Map(), entries.map(splitEntry));
}

/** Sets the variables; one that was set before comes where the new ones are. */
export function withVariables(env: Env, variables: Iterable<readonly [string, string]>): Map<string, string> {
  const result = new Map(env);
  for (const [name, value] of variables) {
    result.delete(name);
    result.set(name, value);
  }
  return result;
}

export function splitEntry(entry: string): [name: string, value: string] {
  const equals = entry.indexOf('=');
  return equals < 0 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
}

/** Replaces the name's entry where it stands, or appends one. */
export function withEntry(entries: readonly string[], name: string, value: string): string[] {
  const entry = `${name}=${value}`;
  const at = entries.findIndex((each) => splitEntry(each)[0] === name);
  return at < 0 ? [...entries, entry] : entries.with(at, entry);
}
