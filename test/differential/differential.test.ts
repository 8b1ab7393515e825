/** Every case of the tables against the records of what docker buildx makes of it, without docker. */
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { after, before, describe, test } from 'node:test';
import { rootless, workFolder } from '../support/env.js';
import { ours } from './builders.js';
import { groups } from './cases/index.js';
import { compare } from './compare.js';
import { readGolden } from './golden.js';
import { runCase } from './run-case.js';
import { type Started, start } from './setup.js';
import type { Case } from './types.js';

const only = process.env['TSBUILD_TEST_CASE'] ?? '';

let started: Started;
before(async () => {
  started = await start(workFolder('differential'), '');
});
after(() => started.close());

for (const group of groups) {
  const golden = readGolden(group.name);
  describe(group.name, { concurrency: availableParallelism() }, () => {
    for (const item of group.cases.filter((one) => `${group.name}: ${one.name}`.includes(only))) {
      const skip = (rootless && (item.rootOnly ?? group.sameForEverybody)) || false;
      test(item.name, { skip, timeout: 180_000 }, async () => {
        const theirs = golden[item.name];
        assert.ok(theirs, 'recorded by npm run test:peers');
        const { result, output } = await runCase(item, ours(started.tsbuild), started);
        const lines = compare(result, theirs).filter((line) => !explained(item, line));
        assert.deepEqual(lines, [], 'equal to what docker buildx makes');
        if ('fails' in result && item.fails) assert.match(output, item.fails);
        assert.equal('fails' in result, item.fails !== undefined, 'fails as the table says');
      });
    }
  });
}

function explained(item: Case, line: string): boolean {
  const all = [...(item.differs ?? []), ...(rootless ? (item.rootless ?? []) : [])];
  return all.some((difference) => difference.line.test(line));
}
