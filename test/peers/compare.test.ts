/** The same Dockerfiles by tsbuild, docker buildx and buildah: equal configs, histories and file systems. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Tsbuild } from '../support/command.js';
import { bin, debianTar, registry } from '../support/env.js';
import { writeTree } from '../support/files.js';
import { cases } from './cases.js';
import { type Builder, buildah, buildx, freshFolder, tsbuild } from './builders.js';
import { type ImageFacts, readArchive } from './image-tree.js';

const repository = process.env['TSBUILD_TEST_REPO'] ?? '';

describe('images equal to the peers’', () => {
  const work = mkdtempSync(join(tmpdir(), 'tsbuild-peers-test-'));
  const store = join(work, 'store');
  const base = `${registry}/peers/debian:bookworm-slim`;
  before(async () => {
    const command = new Tsbuild(store);
    await command.ok(['import', debianTar, base]);
    await command.ok(['push', base]);
  });
  after(() => rmSync(work, { recursive: true, force: true }));

  for (const item of cases) {
    test(item.name, { timeout: 900_000 }, async (t) => {
      const context = join(freshFolder(join(work, 'case')), 'context');
      if (item.example) cpSync(join(repository, item.example), context, { recursive: true });
      writeTree(context, item.files?.(base) ?? {});
      const job = { context, dockerfile: join(context, 'Dockerfile'), options: item.options?.(base) ?? [] };
      const ours = await build(tsbuild(bin, store), job, work, t);
      for (const peer of [buildx, buildah]) {
        const theirs = await build(peer, job, work, t);
        const differences = compare(ours, theirs, peer);
        const unexplained = differences.filter(
          (line) => !item.explained(line, peer.name) && !general(line, peer.name),
        );
        assert.deepEqual(unexplained, [], `differences to ${peer.name}`);
      }
    });
  }
});

async function build(
  builder: Builder,
  job: Parameters<Builder['build']>[0],
  work: string,
  t: { diagnostic(text: string): void },
): Promise<ImageFacts> {
  const folder = freshFolder(join(work, 'image'));
  const archive = join(folder, 'image.tar');
  const outcome = await builder.build(job, archive);
  assert.equal(outcome.status, 0, `${builder.name} failed:\n${outcome.stderr.slice(-4000)}`);
  t.diagnostic(`${builder.name}: ${outcome.seconds.toFixed(1)} s`);
  return readArchive(archive, folder);
}

/** Lines `what: ours | theirs`. */
function compare(ours: ImageFacts, theirs: ImageFacts, peer: Builder): string[] {
  const lines: string[] = [];
  const check = (what: string, left: unknown, right: unknown) => {
    const [a, b] = [JSON.stringify(left), JSON.stringify(right)];
    if (a !== b) lines.push(`${what}: ${a} | ${b}`);
  };
  const keys = new Set([...Object.keys(ours.config), ...Object.keys(theirs.config)]);
  for (const key of [...keys].sort()) check(`config.${key}`, ours.config[key], theirs.config[key]);
  if (peer === buildx) {
    check('layers', ours.layers, theirs.layers);
    check('history', ours.history, theirs.history);
  }
  for (const path of [...new Set([...ours.files.keys(), ...theirs.files.keys()])].sort()) {
    check(`/${path}`, ours.files.get(path), theirs.files.get(path));
  }
  return lines;
}

/** What differs for every Dockerfile, and why. */
function general(line: string, peer: string): boolean {
  if (peer !== 'buildah') return false;
  const reasons: RegExp[] = [
    /^config\.ArgsEscaped: true/, // BuildKit sets it for every CMD and ENTRYPOINT in shell form; buildah does not.
    /^config\.Healthcheck: /, // buildah leaves HEALTHCHECK, SHELL and ONBUILD out of OCI images.
    /^config\.Shell: /,
    /^config\.OnBuild: /,
    /^config\.WorkingDir: (undefined \| "\/"|"\/" \| undefined)$/, // buildah writes WorkingDir "/" where nothing set one.
    /^config\.Labels: .*io\.buildah\.version/,
  ];
  return reasons.some((reason) => reason.test(line));
}
