/**
 * The `syntax` of a build definition: which frontend image BuildKit would run (its parser/directives.go,
 * DetectSyntax). Looked for as `# syntax=`, `// syntax=`, or the key of a JSON object; a `#!` line may come first.
 */

export interface SyntaxReference {
  /** Image reference: the value up to its first blank. */
  reference: string;
  /** The whole value. */
  value: string;
  /** Line from 1. */
  line: number;
}

export function detectSyntax(text: string): SyntaxReference | undefined {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const first = lines[0]?.startsWith('#!') ? 1 : 0;
  return (
    inComments(lines, first, '#') ??
    inComments(lines, first, '//') ??
    inJson(lines.slice(first).join('\n'), first)
  );
}

function inComments(
  lines: readonly string[],
  first: number,
  marker: '#' | '//',
): SyntaxReference | undefined {
  for (let at = first; at < lines.length; at += 1) {
    const line = (lines[at] as string).trim();
    if (!line.startsWith(marker)) return undefined;
    const match = /^\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(\S.*)$/.exec(line.slice(marker.length));
    const key = match?.[1]?.toLowerCase();
    if (key === 'syntax') return reference(match?.[2] as string, at + 1);
    if (key !== 'escape' && key !== 'check') return undefined;
  }
  return undefined;
}

function inJson(text: string, first: number): SyntaxReference | undefined {
  if (!text.trimStart().startsWith('{')) return undefined;
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== 'object' || parsed === null) return undefined;
    const entry = Object.entries(parsed).find(([key]) => key.toLowerCase() === 'syntax');
    if (typeof entry?.[1] !== 'string' || entry[1] === '') return undefined;
    const lines = text.split('\n');
    return reference(entry[1], first + lines.findIndex((line) => /"syntax"/i.test(line)) + 1);
  } catch {
    return undefined;
  }
}

function reference(value: string, line: number): SyntaxReference {
  return { reference: value.split(' ', 1)[0] as string, value, line };
}
