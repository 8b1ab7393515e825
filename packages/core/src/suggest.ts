/** The near match that error messages offer ("did you mean …?"), by BuildKit's measure. */

/** Levenshtein distance in characters. */
export function editDistance(from: string, to: string): number {
  const a = Array.from(from);
  const b = Array.from(to);
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, left] of a.entries()) {
    const row = [i + 1];
    for (const [j, right] of b.entries()) {
      const swap = (previous[j] as number) + (left === right ? 0 : 1);
      row.push(Math.min(swap, (previous[j + 1] as number) + 1, (row[j] as number) + 1));
    }
    previous = row;
  }
  return previous[b.length] as number;
}

/**
 * The option nearest to `word`, the first of equals; undefined if none is less than three edits away, or if
 * `word` is one of them. Without `caseSensitive` case counts for nothing.
 */
export function suggest(word: string, options: Iterable<string>, caseSensitive = false): string | undefined {
  const fold = (text: string) => (caseSensitive ? text : text.toLowerCase());
  const wanted = fold(word);
  let best: string | undefined;
  let bestDistance = 3;
  for (const option of options) {
    if (wanted === fold(option)) return undefined;
    if (Math.abs(option.length - word.length) >= bestDistance) continue;
    const distance = editDistance(wanted, fold(option));
    if (distance < bestDistance) {
      best = option;
      bestDistance = distance;
    }
  }
  return best;
}

/** ` (did you mean X?)`, or nothing. */
export function didYouMean(word: string, options: Iterable<string>, caseSensitive = false): string {
  const near = suggest(word, options, caseSensitive);
  return near === undefined ? '' : ` (did you mean ${near}?)`;
}
