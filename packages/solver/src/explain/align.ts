/** Which step of an earlier build is "the same step": found as diff finds lines, by stage and instruction. */
import type { TraceStep } from './trace.js';

export type TraceLine = Pick<TraceStep, 'stage' | 'platform' | 'text'>;

/** Steps of `after` with those of `before` that they came from; each is used once. */
export function alignSteps<Before extends TraceLine, After extends TraceLine>(
  before: readonly Before[],
  after: readonly After[],
): Map<After, Before> {
  const aligned = new Map<After, Before>();
  const old = byStage(before);
  for (const [stage, steps] of matchStages(old, byStage(after))) {
    for (const [step, earlier] of alignLines(stage, steps)) aligned.set(step, earlier);
  }
  return aligned;
}

/** How many of the instructions of `after` stand in `before` too, from 0 to 1. */
export function alignedShare(before: readonly TraceLine[], after: readonly TraceLine[]): number {
  const texts = new Set(before.map(({ text }) => text));
  return after.length === 0 ? 0 : after.filter(({ text }) => texts.has(text)).length / after.length;
}

interface Stage<T extends TraceLine> {
  name: string;
  platform: string;
  steps: T[];
}

function byStage<T extends TraceLine>(steps: readonly T[]): Stage<T>[] {
  const stages = new Map<string, Stage<T>>();
  for (const step of steps) {
    const id = JSON.stringify([step.stage, step.platform]);
    const stage = stages.get(id) ?? { name: step.stage, platform: step.platform, steps: [] };
    stages.set(id, stage);
    stage.steps.push(step);
  }
  return [...stages.values()];
}

/** By name where stages have one, else by what is in them: numbers shift when a stage is inserted. */
function matchStages<B extends TraceLine, A extends TraceLine>(
  before: readonly Stage<B>[],
  after: readonly Stage<A>[],
): [B[], A[]][] {
  const free = new Set(before);
  const pairs: [B[], A[]][] = [];
  const take = (stage: Stage<A>, found: Stage<B> | undefined) => {
    if (found === undefined) return false;
    free.delete(found);
    pairs.push([found.steps, stage.steps]);
    return true;
  };
  const rest = after.filter((stage) => {
    if (isNumbered(stage.name)) return true;
    const same = [...free].filter(({ name }) => name === stage.name);
    return !take(stage, same.find(({ platform }) => platform === stage.platform) ?? same[0]);
  });
  // The likest pair first: a stage that is new must not take the place of one that moved.
  const likely = rest
    .flatMap((stage) =>
      [...free].map((candidate) => ({ stage, candidate, score: likeness(candidate, stage) })),
    )
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score);
  const placed = new Set<Stage<A>>();
  for (const { stage, candidate } of likely) {
    if (placed.has(stage) || !free.has(candidate)) continue;
    placed.add(stage);
    take(stage, candidate);
  }
  return pairs;
}

function isNumbered(name: string): boolean {
  return /^stage-\d+$/.test(name) || name === '';
}

/** Equal instructions count most; then the same number or name, then the platform. */
function likeness(before: Stage<TraceLine>, after: Stage<TraceLine>): number {
  const texts = new Set(before.steps.map(({ text }) => text));
  const equal = after.steps.filter(({ text }) => texts.has(text)).length;
  const same = before.name === after.name ? 0.6 : 0;
  const platform = before.platform === after.platform ? 0.3 : 0;
  return equal + same === 0 ? 0 : equal + same + platform;
}

/** Equal beginnings and ends are paired at once: what was edited is a small part of a file. */
function alignLines<B extends TraceLine, A extends TraceLine>(
  before: readonly B[],
  after: readonly A[],
): [A, B][] {
  const most = Math.min(before.length, after.length);
  const isSame = (a: A | undefined, b: B | undefined) => a?.text === b?.text;
  let head = 0;
  while (head < most && isSame(after[head], before[head])) head++;
  let tail = 0;
  while (tail < most - head && isSame(after.at(-1 - tail), before.at(-1 - tail))) tail++;
  const pair = (from: number, to: number, shift: number): [A, B][] =>
    after.slice(from, to).map((line, index) => [line, before[from + shift + index] as B]);
  return [
    ...pair(0, head, 0),
    ...alignEdited(before.slice(head, before.length - tail), after.slice(head, after.length - tail)),
    ...pair(after.length - tail, after.length, before.length - after.length),
  ];
}

/** The alignment with the highest sum of scores (Needleman and Wunsch, without a cost for gaps). */
function alignEdited<B extends TraceLine, A extends TraceLine>(
  before: readonly B[],
  after: readonly A[],
): [A, B][] {
  const olds = before.map(({ text }) => wordsOf(text));
  const scores = after.map((a) => {
    const words = wordsOf(a.text);
    return before.map((b, index) => (a.text === b.text ? 4 : similarity(olds[index] as string[], words)));
  });
  const best = Array.from({ length: after.length + 1 }, () => new Array<number>(before.length + 1).fill(0));
  const at = (i: number, j: number) => best[i]?.[j] ?? 0;
  const pair = (i: number, j: number) => {
    const score = scores[i]?.[j] ?? 0;
    return score === 0 ? 0 : at(i + 1, j + 1) + score;
  };
  for (let i = after.length - 1; i >= 0; i--)
    for (let j = before.length - 1; j >= 0; j--)
      (best[i] as number[])[j] = Math.max(at(i + 1, j), at(i, j + 1), pair(i, j));
  const pairs: [A, B][] = [];
  for (let i = 0, j = 0; i < after.length && j < before.length; ) {
    if (pair(i, j) > 0 && at(i, j) === pair(i, j)) pairs.push([after[i++] as A, before[j++] as B]);
    else if (at(i, j) === at(i + 1, j)) i++;
    else j++;
  }
  return pairs;
}

/** 0 for different instructions, else by the words they share: from 0.5 to 2; the same text has 4. */
function similarity(before: readonly string[], after: readonly string[]): number {
  if (before[0]?.toUpperCase() !== after[0]?.toUpperCase()) return 0;
  const counts = new Map<string, number>();
  for (const word of before.slice(1)) counts.set(word, (counts.get(word) ?? 0) + 1);
  let shared = 0;
  for (const word of after.slice(1)) {
    const left = counts.get(word) ?? 0;
    if (left > 0) shared++;
    counts.set(word, left - 1);
  }
  return 0.5 + (3 * shared) / Math.max(1, before.length + after.length - 2);
}

function wordsOf(text: string): string[] {
  return text.split(/[\s=:/.,;&|"'()\\]+/).filter((word) => word !== '');
}
