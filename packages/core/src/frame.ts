/** The frame that shows where in a file a fault is: the lines around it, the guilty ones marked. */
import type { SourceLocation } from './source.js';

const rule = '-'.repeat(20);

/**
 * Draws BuildKit's frame (its errdefs/source.go): `FILE:LINE`, a rule, numbered lines with `>>>` before the guilty
 * ones, a rule. Two lines of context on both sides of a single line, one around several; long lines are clipped.
 */
export function frame(location: SourceLocation): string {
  const lines = location.text.split(/\r?\n/);
  const first = Math.max(1, Math.min(location.range.startLine, lines.length));
  const last = Math.max(first, Math.min(location.range.endLine, lines.length));
  const around = first === last ? 2 : 1;
  const start = Math.max(1, first - around);
  const end = Math.min(lines.length, last + around);
  const shown = lines.slice(start - 1, end).map((line, index) => {
    const number = start + index;
    const mark = number >= first && number <= last ? '>>>' : '   ';
    return ` ${String(number).padStart(3)} | ${mark} ${clip(line)}`;
  });
  return [`${location.file}:${first}`, rule, ...shown, rule, ''].join('\n');
}

function clip(line: string): string {
  return line.length > 400 ? `${line.slice(0, 400)} …` : line;
}
