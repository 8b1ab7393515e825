/**
 * Filters of prune, as docker's builder prune has them: `until=24h` and `unused-for=24h` by age; `type`, `id`, `description`
 * and `inuse` with `=`, `!=` or `~=` (a regular expression). Several must all hold.
 */
import { TsbuildError } from '@tsbuild/core';
import type { PrunedEntry } from '../api/types.js';
import { parseDuration } from '../units.js';

export interface EntryFilter {
  /** From `until` and `unused-for`, milliseconds. */
  unusedForMs: number | undefined;
  matches(entry: Pick<PrunedEntry, 'type' | 'id' | 'description'>): boolean;
}

type Field = 'type' | 'id' | 'description';

/** What BuildKit calls them. */
const typeAliases: Readonly<Record<string, string>> = {
  regular: 'step',
  'exec.cachemount': 'mount',
  'source.local': 'index',
  'source.git.checkout': 'source',
  frontend: 'index',
  internal: 'index',
};

const types = ['step', 'source', 'mount', 'blob', 'image', 'index', 'temporary'];

/** @throws TsbuildError TSB_USAGE_BAD_VALUE */
export function parseFilters(texts: readonly string[]): EntryFilter {
  const filter: EntryFilter = { unusedForMs: undefined, matches: () => true };
  const tests: EntryFilter['matches'][] = [];
  for (const text of texts) {
    const [, key = '', operator = '', value = ''] = /^([a-z-]+)(!=|~=|=)(.*)$/s.exec(text) ?? [];
    if ((key === 'until' || key === 'unused-for') && operator === '=') {
      // The longest wins: all filters must hold.
      filter.unusedForMs = Math.max(filter.unusedForMs ?? 0, parseDuration('filter', value));
    } else if (key === 'type' || key === 'id' || key === 'description') {
      tests.push(fieldTest(text, key, operator, value));
    } else {
      throw bad(text, 'Write until=DURATION, type=TYPE, id=ID or description~=REGEXP.');
    }
  }
  filter.matches = (entry) => tests.every((test) => test(entry));
  return filter;
}

function fieldTest(text: string, key: Field, operator: string, value: string): EntryFilter['matches'] {
  if (operator === '~=') {
    const pattern = compile(text, value);
    return (entry) => pattern.test(entry[key]);
  }
  const wanted = key === 'type' ? (typeAliases[value] ?? value) : value;
  if (key === 'type' && !types.includes(wanted)) throw bad(text, `Types are ${types.join(', ')}.`);
  const equals = (entry: Pick<PrunedEntry, Field>) =>
    entry[key] === wanted || (key === 'id' && isShortForm(entry, wanted));
  return operator === '=' ? equals : (entry) => !equals(entry);
}

/** A digest's first digits, 12 at least as du shows them; the id of a cache mount without the slash that it got. */
function isShortForm({ type, id }: Pick<PrunedEntry, Field>, text: string): boolean {
  if (type === 'mount') return id === `/${text}`;
  const digits = text.replace(/^sha256:/, '');
  return digits.length >= 12 && id.startsWith(`sha256:${digits}`);
}

function compile(text: string, pattern: string): RegExp {
  try {
    return new RegExp(pattern);
  } catch (error) {
    throw bad(text, `${(error as Error).message}.`);
  }
}

function bad(text: string, hint: string): TsbuildError {
  return new TsbuildError('TSB_USAGE_BAD_VALUE', `invalid value ${JSON.stringify(text)} for --filter`, {
    hint,
  });
}
