/** Parser directives: the `# key=value` lines at the very top (BuildKit's parser/directives.go). */
import type { Directive, EscapeToken } from './ast.js';
import { fault } from './fault.js';
import type { PhysicalLines } from './physical-lines.js';

const pattern = /^#[ \t\f\v\r]*([a-zA-Z][a-zA-Z0-9]*)[ \t\f\v\r]*=[ \t\f\v\r]*(.*)$/;

export interface Directives {
  list: Directive[];
  escape: EscapeToken;
}

/**
 * Reads directives until the first line that is none.
 * @param report called with an error and the index of its line; throws
 */
export function readDirectives(
  lines: PhysicalLines,
  report: (error: Error, line: number) => never,
): Directives {
  const list: Directive[] = [];
  let escape: EscapeToken = '\\';
  for (let index = 0; index < lines.count; index += 1) {
    const directive = readDirective(lines.get(index), index);
    if (directive === undefined) break;
    const { name, value } = directive;
    if (list.some((other) => other.name === name)) {
      const hint = `Keep one line # ${name}=.`;
      report(fault('DIRECTIVE', `only one ${name} parser directive can be used`, hint), index);
    }
    if (name === 'escape') {
      if (value !== '\\' && value !== '`') {
        const hint = 'Write # escape=` or # escape=\\.';
        report(fault('DIRECTIVE', `invalid escape token '${value}' does not match \` or \\`, hint), index);
      }
      escape = value;
    }
    list.push(directive);
  }
  return { list, escape };
}

function readDirective(line: string, index: number): Directive | undefined {
  const match = pattern.exec(line.trimStart());
  const name = match?.[1]?.toLowerCase();
  const value = match?.[2]?.trim();
  if (!value || (name !== 'syntax' && name !== 'escape' && name !== 'check')) return undefined;
  const startColumn = line.length - line.trimStart().length + 1;
  const end = line.trimEnd().length + 1;
  return { name, value, range: { startLine: index + 1, startColumn, endLine: index + 1, endColumn: end } };
}
