/** What a terminal shows after some output: the few sequences that the live view uses, no others. */
import { displayWidth } from '../../src/cli/format.js';

export function screen(text: string, columns: number): string {
  const lines: string[] = [''];
  let row = 0;
  let column = 0;
  const token = /\x1b\[(\?\d+[hl]|\d*[AKJm])|\n|\r|[^\x1b\n\r]+/g;
  for (const [match, sequence] of text.matchAll(token)) {
    if (match === '\n') {
      row++;
      column = 0;
      lines[row] ??= '';
    } else if (match === '\r') {
      column = 0;
    } else if (sequence !== undefined) {
      const kind = sequence.at(-1);
      if (kind === 'A') row = Math.max(0, row - Number(sequence.slice(0, -1) || 1));
      else if (kind === 'K') lines[row] = (lines[row] ?? '').slice(0, column);
      else if (kind === 'J') {
        lines.splice(row + 1);
        lines[row] = (lines[row] ?? '').slice(0, column);
      }
    } else {
      if (displayWidth(match) >= columns)
        throw new Error(`a line of ${displayWidth(match)} cells on ${columns}: ${match}`);
      lines[row] =
        (lines[row] ?? '').slice(0, column) + match + (lines[row] ?? '').slice(column + match.length);
      column += match.length;
    }
  }
  return lines.join('\n').replace(/\n+$/, '');
}
