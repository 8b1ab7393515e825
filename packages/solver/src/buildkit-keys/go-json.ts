/**
 * JSON as Go's encoding/json writes it: BuildKit's cache keys are digests of such texts. Members stand in the order
 * they are given in, as those of a Go struct do.
 */

export type GoValue =
  | string
  | number
  | bigint
  | boolean
  | readonly GoValue[]
  | { readonly [name: string]: GoValue | undefined };

/** Members that are undefined are left out. */
export function goJson(value: GoValue): string {
  if (typeof value === 'string') return quote(value);
  if (typeof value !== 'object') return String(value);
  if (isList(value)) return `[${value.map(goJson).join(',')}]`;
  const members = Object.entries(value).flatMap(([name, member]) =>
    member === undefined ? [] : [`${quote(name)}:${goJson(member)}`],
  );
  return `{${members.join(',')}}`;
}

/** Without what `omitempty` leaves out: '', 0, false and empty lists. A message without members stays, as a pointer does. */
export function omitEmpty(members: { readonly [name: string]: GoValue | undefined }): {
  [name: string]: GoValue | undefined;
} {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => !isEmpty(value)));
}

function isEmpty(value: GoValue | undefined): boolean {
  if (value === undefined || value === '' || value === false) return true;
  if (value === 0 || value === 0n) return true;
  return typeof value === 'object' && isList(value) && value.length === 0;
}

/** Besides what JSON must escape, Go escapes what HTML and JavaScript would take for something else. */
function quote(text: string): string {
  return JSON.stringify(Buffer.from(text).toString()).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function isList(value: object): value is readonly GoValue[] {
  return Array.isArray(value);
}
