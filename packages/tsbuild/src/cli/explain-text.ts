/** Explanations of cache hits and misses as text. */
import type { CacheCause } from '@tsbuild/core';
import type { StepExplanation } from '../api/types.js';
import { visibleText } from './format.js';
import { redact } from './redact.js';

type Explained = Pick<StepExplanation, 'name' | 'outcome' | 'causes'>;

/** `the command changed from "a" to "b"; the step below it changed: [2/3] COPY . .` */
export function causesText(causes: readonly CacheCause[]): string {
  return visibleText(redact(causes.map(({ text }) => text).join('; ')));
}

const marks = { hit: 'HIT ', miss: 'MISS', unknown: '?   ' } as const;

/** `tsbuild explain`: a line for each step, a line for each cause. */
export function explainText(steps: readonly Explained[]): string {
  const lines = steps.flatMap(({ name, outcome, causes }) => [
    `${marks[outcome]} ${shownName(name)}`,
    ...causes.map((cause) => `     ${causesText([cause])}`),
  ]);
  return [...lines, ...(lines.length === 0 ? [] : ['']), countText(steps), ''].join('\n');
}

/** What ends the progress of a build that was to explain itself. */
export function explainSummary(steps: readonly Explained[]): string[] {
  if (steps.length === 0) return [];
  const missed = steps.filter(({ outcome }) => outcome !== 'hit');
  // Of a first build there is one thing to say.
  if (
    missed.length > 1 &&
    steps.every(({ causes }) => causes.every(({ kind }) => kind === 'new') && causes.length > 0)
  )
    return [`none of ${plural(steps.length)} in the cache: no build of them is on record`];
  return [
    `${countText(steps)}${missed.length === 0 ? '' : ':'}`,
    ...missed.flatMap(({ name, causes }) => [
      ` - ${shownName(name)}`,
      ...causes.map((cause) => `     ${causesText([cause])}`),
    ]),
  ];
}

function countText(steps: readonly Explained[]): string {
  const count = (outcome: Explained['outcome']) => steps.filter((step) => step.outcome === outcome).length;
  const [hits, misses, unknown] = [count('hit'), count('miss'), count('unknown')];
  if (steps.length === 0) return 'there is no step';
  if (hits === steps.length) return `all ${plural(hits)} in the cache`;
  const rest = [
    ...(misses === 0 ? [] : [`${misses} not`]),
    ...(unknown === 0 ? [] : [`${unknown} not known yet`]),
  ];
  return `${hits} of ${plural(steps.length)} in the cache, ${rest.join(', ')}`;
}

function plural(count: number): string {
  return count === 1 ? '1 step' : `${count} steps`;
}

function shownName(name: string): string {
  return visibleText(redact(name.replace(/\n/g, ' ')));
}
