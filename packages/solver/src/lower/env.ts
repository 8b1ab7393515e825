/** Environments: names with values, in the order they were first set. */

export type Env = ReadonlyMap<string, string>;

export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Of `NAME=value` entries, as image configs hold them. */
export function envOf(entries: readonly string[]): Map<string, string> {
  return new Map(entries.map(splitEntry));
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
