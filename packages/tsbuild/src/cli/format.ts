/** Values as people read them: sizes, durations, ages, tables, and text cut to a terminal's width. */

export { formatBytes } from '../units.js';

/** `0.0s`, `12.3s`, `2m03s`, `1h02m`. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 99.95) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, '0')}s`;
  const minutes = Math.round(whole / 60);
  return `${Math.floor(minutes / 60)}h${String(minutes % 60).padStart(2, '0')}m`;
}

/** `5 minutes ago`; an unreadable or missing time is `N/A`. `now` is milliseconds since the epoch. */
export function formatAge(created: string | undefined, now: number): string {
  const at = created === undefined ? Number.NaN : Date.parse(created);
  if (Number.isNaN(at)) return 'N/A';
  const seconds = Math.max(0, Math.round((now - at) / 1000));
  const steps: [number, string][] = [
    [365 * 86400, 'year'],
    [30 * 86400, 'month'],
    [7 * 86400, 'week'],
    [86400, 'day'],
    [3600, 'hour'],
    [60, 'minute'],
  ];
  for (const [size, name] of steps) {
    // Like docker, move to a bigger unit only from two of it on.
    const count = Math.floor(seconds / size);
    if (count >= (name === 'minute' ? 1 : 2)) return `${count} ${name}${count === 1 ? '' : 's'} ago`;
  }
  return `${seconds} second${seconds === 1 ? '' : 's'} ago`;
}

/** The first 12 hexadecimal digits of a digest. */
export function shortDigest(digest: string): string {
  return digest.replace(/^sha256:/, '').slice(0, 12);
}

/** Columns left-aligned, three blanks apart, no trailing blanks, each line ended by a newline. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => displayWidth(row[column] ?? ''))));
  return all
    .map((row) =>
      row
        .map((cell, column) => padEnd(cell, widths[column] ?? 0))
        .join('   ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)));
}

const ansi = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])/g;

/** What a terminal would show of a line: no escape sequences, no control characters, tabs as blanks. */
export function visibleText(line: string): string {
  const plain = line.replace(ansi, '');
  // After a carriage return the terminal overwrites the line; its last non-empty text is what is seen.
  const parts = plain.split('\r').filter((part) => part !== '');
  return (parts.at(-1) ?? '').replace(/\t/g, '        ').replace(/[\x00-\x1f\x7f-\x9f]/g, '');
}

const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const zero = /[\p{Mn}\p{Me}\p{Cf}]/u;

function charWidth(character: string): number {
  if (character < '\u0300') return 1;
  if (zero.test(character)) return 0;
  return wide.test(character) ? 2 : 1;
}

/** Cells of a terminal that the text takes; escape sequences take none. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text.replace(ansi, '')) width += charWidth(character);
  return width;
}

/** Cuts text without escape sequences to at most `width` cells; a cut shows as `…`. */
export function truncate(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let out = '';
  let used = 0;
  for (const character of text) {
    const next = charWidth(character);
    if (used + next > width - 1) break;
    out += character;
    used += next;
  }
  return width > 0 ? `${out}…` : '';
}

/** Breaks text at blanks so that no line is longer than `width` cells, unless a word is. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/ +/)) {
    if (line !== '' && displayWidth(line) + 1 + displayWidth(word) > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  if (line !== '') lines.push(line);
  return lines;
}
