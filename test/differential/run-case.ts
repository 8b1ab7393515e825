/** Builds one case with one builder. */
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Build } from './builders.js';
import { type BaseFacts, type Result, readFacts } from './facts.js';
import { writeTree } from './tree.js';
import type { Case } from './types.js';

export interface Surroundings {
  /** Folder for the files of cases, which each case gets an own one in. */
  work: string;
  base: BaseFacts;
  /** What the words of the tables stand for, without %DIR%. */
  words: Record<string, string>;
}

export interface Run {
  result: Result;
  /** Everything that the builder printed. */
  output: string;
}

let count = 0;

export async function runCase(item: Case, build: Build, surroundings: Surroundings): Promise<Run> {
  const folder = join(surroundings.work, `case-${++count}`);
  // BuildKit keeps a context it was sent by the name of its folder and updates it by the next one of that name; the times
  // of folders are wrong then. No two of our contexts have one name.
  const contextFolder = join(folder, `context-${randomUUID()}`);
  const words = Object.entries({
    ...surroundings.words,
    '%CONTEXT%': contextFolder,
    '%DIR%': folder,
    '%NONCE%': randomUUID(),
  });
  const expand = (text: string) => words.reduce((done, [word, value]) => done.replaceAll(word, value), text);
  const clean = (text: string) =>
    words
      .reduce((done, [word, value]) => done.replaceAll(value, word), text)
      .replace(/x{100,}/g, (run) => `x*${run.length}`);
  const dockerfile = item.dockerfile === undefined ? {} : { Dockerfile: item.dockerfile };
  writeTree(contextFolder, { ...dockerfile, ...item.files }, expand);
  for (const [name, tree] of Object.entries(item.trees ?? {}))
    writeTree(join(folder, 'trees', name), tree, expand);
  const layout = join(folder, 'layout');
  const context = expand(item.context ?? '%CONTEXT%');
  try {
    const outcome = await build([...(item.options ?? []).map(expand), context], layout, {
      limit: 120,
      ...(item.stdin === undefined
        ? {}
        : { input: typeof item.stdin === 'string' ? expand(item.stdin) : item.stdin }),
      ...(item.env === undefined ? {} : { env: { ...process.env, ...item.env } }),
    });
    const output = outcome.stdout + outcome.stderr;
    if (outcome.status !== 0) return { result: { fails: clean(lastError(outcome.stderr)) }, output };
    return { result: readFacts(layout, surroundings.base, clean), output };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The message in what a builder prints for an error. */
function lastError(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.startsWith('ERROR: '));
  return (lines.at(-1) ?? stderr.trim()).slice(0, 400);
}
