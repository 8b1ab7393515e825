/** The word of a list that a mistyped word most likely means. */
import { editDistance, suggest } from '@tsbuild/core';

/** Short words get less tolerance than core's suggest gives; a word that is only begun counts too. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const all = [...candidates];
  const near = suggest(word, all);
  if (near !== undefined && editDistance(word.toLowerCase(), near.toLowerCase()) <= word.length / 2)
    return near;
  if (word.length < 3) return undefined;
  const lower = word.toLowerCase();
  return all.find((candidate) => candidate.toLowerCase().startsWith(lower));
}
