/** Pieces of Go's `path` and `strings` packages whose exact behaviour the Dockerfile language relies on. */

/** White space as Go's unicode.IsSpace knows it: differs from JavaScript's in U+0085 and U+FEFF. */
const goSpace = '\\t\\n\\v\\f\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const leadingSpace = new RegExp(`^[${goSpace}]+`);
const isSpace = new RegExp(`[${goSpace}]`);

/** Go's strings.TrimSpace. */
export function trimSpace(text: string): string {
  if (isGraphic(text.charCodeAt(0)) && isGraphic(text.charCodeAt(text.length - 1))) return text;
  const start = leadingSpace.exec(text)?.[0].length ?? 0;
  let end = text.length;
  // Not a regex anchored at the end: it would be tried at every blank of a long text.
  while (end > start && isSpace.test(text.charAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

/** A visible ASCII character: most texts begin and end with one. */
function isGraphic(code: number): boolean {
  return code > 0x20 && code < 0x7f;
}

/** Go's path.Clean: the shortest equivalent path by lexical processing alone; '.' for an empty one. */
export function cleanPath(path: string): string {
  const rooted = path.startsWith('/');
  const out: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') out.push(part);
    else if (out.length > 0 && out[out.length - 1] !== '..') out.pop();
    else if (!rooted) out.push(part);
  }
  const joined = out.join('/');
  return rooted ? `/${joined}` : joined || '.';
}

const quoted: Record<string, string> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '"': '\\"',
  '\\': '\\\\',
};

/** Go's %q: the text in double quotes with unprintable characters escaped. */
export function goQuote(text: string): string {
  const body = text.replace(/["\\\p{C}\p{Z}]/gu, (char) => {
    if (char === ' ') return char;
    const code = char.codePointAt(0) as number;
    if (quoted[char] !== undefined) return quoted[char] as string;
    if (code < 0x80) return `\\x${code.toString(16).padStart(2, '0')}`;
    return code < 0x10000
      ? `\\u${code.toString(16).padStart(4, '0')}`
      : `\\U${code.toString(16).padStart(8, '0')}`;
  });
  return `"${body}"`;
}
