/**
 * The differential suite's cases by docker buildx itself: what it makes of them today must be what was recorded.
 * With TSBUILD_GOLDEN=write the records are written anew; TSBUILD_TEST_CASE limits them to the names that have its text.
 */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { registry } from '../support/env.js';
import { buildx, ours } from '../differential/builders.js';
import { groups } from '../differential/cases/index.js';
import { compare } from '../differential/compare.js';
import { type Golden, readGolden, writeGolden } from '../differential/golden.js';
import { runCase } from '../differential/run-case.js';
import { type Started, start } from '../differential/setup.js';

const state = process.env['PEERS_STATE'] ?? join(process.env['TMPDIR'] ?? '/tmp', 'tsbuild-peers');
const isWriting = process.env['TSBUILD_GOLDEN'] === 'write';
const only = process.env['TSBUILD_TEST_CASE'] ?? '';

const work = mkdtempSync(join(tmpdir(), 'tsbuild-differential-'));
let started: Started;
before(async () => {
  chmodSync(work, 0o755);
  started = await start(work, `${registry}/`);
  for (const name of ['%BASE%', '%ONBUILD%']) await started.tsbuild.ok(['push', started.words[name] ?? '']);
});
after(async () => {
  await started.close();
  rmSync(work, { recursive: true, force: true });
});

for (const group of groups) {
  const golden = readGolden(group.name);
  const fresh: Golden = {};
  describe(group.name, { concurrency: 4 }, () => {
    for (const item of group.cases) {
      if (!`${group.name}: ${item.name}`.includes(only)) continue;
      const skip = item.peerLacks !== undefined && !isWriting ? `the peer lacks ${item.peerLacks}` : false;
      test(item.name, { skip, timeout: 300_000 }, async () => {
        const peer = buildx(join(state, 'peer'), join(state, 'docker.sock'));
        const build = item.peerLacks === undefined ? peer : ours(started.tsbuild);
        const { result } = await runCase(item, build, started);
        fresh[item.name] = result;
        if (!isWriting) assert.deepEqual(compare(result, golden[item.name] ?? { fails: 'not recorded' }), []);
      });
    }
    after(() => {
      if (!isWriting || Object.keys(fresh).length === 0) return;
      const merged = { ...readGolden(group.name), ...fresh };
      const names = group.cases.map((item) => item.name).filter((name) => merged[name] !== undefined);
      writeGolden(group.name, Object.fromEntries(names.map((name) => [name, merged[name]])) as Golden);
    });
  });
}
