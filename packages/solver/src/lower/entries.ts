/** Sets of the image config: labels, volumes, ports. */

/** Adds to the record, or to a new one; every text is a name, `__proto__` too. */
export function addEntries<T>(
  record: Record<string, T> | undefined,
  entries: Iterable<readonly [name: string, value: T]>,
): Record<string, T> {
  const all = record ?? {};
  for (const [name, value] of entries) {
    if (name === '__proto__')
      Object.defineProperty(all, name, { value, writable: true, enumerable: true, configurable: true });
    else all[name] = value;
  }
  return all;
}
