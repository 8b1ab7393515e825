/** White space by character codes: no regular expression and no piece of text for a look at one character. */

/** Go's unicode.IsSpace: \s with U+0085 and without the byte order mark. */
export function isBlank(code: number): boolean {
  if (code <= 0x20) return code === 0x20 || (code >= 0x09 && code <= 0x0d);
  if (code < 0x80) return false;
  return code === 0x85 || (code !== 0xfeff && /\s/.test(String.fromCharCode(code)));
}

/** Offset of the first character from `at` on that is no blank, `end` where there is none. */
export function skipBlanks(text: string, at: number, end: number): number {
  let start = at;
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  return start;
}

/** Offset after the last character before `end` that is no blank, `start` where there is none. */
export function trimmedEnd(text: string, start: number, end: number): number {
  let stop = end;
  while (stop > start && isBlank(text.charCodeAt(stop - 1))) stop -= 1;
  return stop;
}

/** Offset of the first blank from `at` on, `end` where there is none. */
export function findBlank(text: string, at: number, end: number): number {
  let stop = at;
  while (stop < end && !isBlank(text.charCodeAt(stop))) stop += 1;
  return stop;
}
