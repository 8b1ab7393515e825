/** Values and commands in the words of explanations. */
import { isHidden } from './trace.js';

/** Characters of a value that are shown. */
const shown = 60;

export function quoted(value: string | undefined): string {
  if (value === undefined) return 'nothing';
  if (isHidden(value)) return 'a secret';
  return JSON.stringify(shorten(value));
}

function shorten(text: string): string {
  return text.length <= shown ? text : `${text.slice(0, shown - 1)}…`;
}

/** Two command facts: JSON lists of arguments. */
export function commandChange(before: string | undefined, after: string | undefined): string {
  const [was, is] = [wordsOf(before), wordsOf(after)];
  if (was === undefined || is === undefined) return 'the command changed';
  if (was.at(-1) === is.at(-1) && was.length > 1 && is.length > 1) {
    const [shellWas, shellIs] = [was.slice(0, -1), is.slice(0, -1)].map((words) => JSON.stringify(words));
    if (shellWas !== shellIs) return `the shell changed from ${shellWas} to ${shellIs}`;
  }
  const [from, to] = excerpts(textOf(was), textOf(is));
  return `the command changed from ${JSON.stringify(from)} to ${JSON.stringify(to)}`;
}

function wordsOf(fact: string | undefined): string[] | undefined {
  if (fact === undefined || isHidden(fact)) return undefined;
  try {
    return JSON.parse(fact) as string[];
  } catch {
    // A long command is kept by its beginning only.
    return undefined;
  }
}

/** What the Dockerfile has: the text that a shell gets, or the words. */
function textOf(words: readonly string[]): string {
  const shell = words.length > 1 && /^(?:-[a-z]*c|\/[cC]|-[cC]ommand)$/.test(words.at(-2) ?? '');
  return shell ? (words.at(-1) ?? '') : JSON.stringify(words);
}

/** Long texts are shown around the place where they begin to differ. */
export function excerpts(before: string, after: string): [string, string] {
  let same = 0;
  while (same < before.length && same < after.length && before[same] === after[same]) same++;
  if (Math.max(before.length, after.length) <= shown) return [before, after];
  const begin = Math.max(0, same - 20);
  const cut = (text: string) => {
    const part = text.slice(begin, begin + shown - 2);
    return `${begin > 0 ? '…' : ''}${part}${begin + part.length < text.length ? '…' : ''}`;
  };
  return [cut(before), cut(after)];
}
