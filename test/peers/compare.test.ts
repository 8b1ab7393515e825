/** The same Dockerfiles by tsbuild, docker buildx and buildah: equal configs, histories and file systems. */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Tsbuild } from '../support/command.js';
import { bin, debianTar, registry } from '../support/env.js';
import { writeTree } from '../support/files.js';
import { nodeBase } from '../support/node.js';
import { type Bases, cases, type PeerCase } from './cases.js';
import { type Builder, buildah, type User, buildx, freshFolder, tsbuild } from './builders.js';
import { type ImageFacts, readArchive } from './image-tree.js';

const repository = process.env['TSBUILD_TEST_REPO'] ?? '';
const [uid = '', gid = '', home = ''] = (process.env['TSBUILD_TEST_USER'] ?? '').split(':');
const user: User = { uid, gid, home };

describe('images equal to the peers’', () => {
  const work = mkdtempSync(join(tmpdir(), 'tsbuild-peers-test-'));
  const bases: Bases = {
    debian: `${registry}/peers/debian:bookworm-slim`,
    node: `${registry}/peers/node:20`,
  };
  before(async () => {
    chmodSync(work, 0o755);
    const command = new Tsbuild(join(work, 'bases'));
    await command.ok(['import', debianTar, bases.debian]);
    await nodeBase(command, bases.debian, work, bases.node);
    for (const name of Object.values(bases)) await command.ok(['push', name]);
  });
  after(() => rmSync(work, { recursive: true, force: true }));

  for (const item of cases) {
    test(item.name, { timeout: 900_000 }, async (t) => {
      const folder = freshFolder(join(work, 'case'));
      const context = join(folder, 'context');
      if (item.example) cpSync(join(repository, item.example), context, { recursive: true });
      writeTree(context, item.files?.(bases) ?? {});
      const job = { context, dockerfile: join(context, 'Dockerfile'), options: item.options?.(bases) ?? [] };
      const ours = await build(tsbuild(bin, join(work, 'store')), job, work, t);
      const rootless = await build(tsbuild(bin, join(userFolder(work), 'store'), user), job, work, t);
      expectEqual(ours, rootless, item, 'tsbuild as an ordinary user');
      for (const peer of [buildx, buildah])
        expectEqual(ours, await build(peer, job, work, t), item, peer.name);
    });
  }
});

/** A folder for what the ordinary user's builds write. */
function userFolder(work: string): string {
  const folder = join(work, 'user');
  mkdirSync(folder, { recursive: true });
  chownSync(folder, Number(user.uid), Number(user.gid));
  return folder;
}

function expectEqual(ours: ImageFacts, theirs: ImageFacts, item: PeerCase, peer: string): void {
  const unexplained = compare(ours, theirs, peer).filter(
    (line) => !item.explained(line, peer) && !general(line, peer),
  );
  assert.deepEqual(unexplained, [], `differences to ${peer}`);
}

async function build(
  builder: Builder,
  job: Parameters<Builder['build']>[0],
  work: string,
  t: { diagnostic(text: string): void },
): Promise<ImageFacts> {
  const folder = freshFolder(join(userFolder(work), 'image'));
  chownSync(folder, Number(user.uid), Number(user.gid));
  const archive = join(folder, 'image.tar');
  const outcome = await builder.build(job, archive);
  assert.equal(outcome.status, 0, `${builder.name} failed:\n${outcome.stderr.slice(-4000)}`);
  t.diagnostic(`${builder.name}: ${outcome.seconds.toFixed(1)} s`);
  return readArchive(archive, folder);
}

/** Lines `what: ours | theirs`. */
function compare(ours: ImageFacts, theirs: ImageFacts, peer: string): string[] {
  const lines: string[] = [];
  const check = (what: string, left: unknown, right: unknown) => {
    const [a, b] = [JSON.stringify(left), JSON.stringify(right)];
    if (a !== b) lines.push(`${what}: ${a} | ${b}`);
  };
  const keys = new Set([...Object.keys(ours.config), ...Object.keys(theirs.config)]);
  for (const key of [...keys].sort()) check(`config.${key}`, ours.config[key], theirs.config[key]);
  if (peer !== buildah.name) {
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
