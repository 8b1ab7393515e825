/** Cache mounts in shared caches: what is fetched when, and what happens when it cannot be had. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { busyboxImage } from '../support/busybox.js';
import { type Outcome, succeed, Tsbuild } from '../support/command.js';
import { imageName, rootless, workFolder } from '../support/env.js';
import { writeTree } from '../support/files.js';
import { makeBucket, s3Endpoint, s3Env } from '../support/s3.js';

const work = workFolder('cache-mount-cases');
const base = 'busybox:mounts';
const baseArchive = join(work, 'base.tar');
let places = 0;

before(async () => {
  const maker = new Tsbuild(join(work, 'maker'));
  await busyboxImage(maker, work, base);
  await maker.ok(['save', '-o', baseArchive, base]);
});

async function machine(): Promise<Tsbuild> {
  const tsbuild = new Tsbuild(join(work, `machine-${places++}`));
  await tsbuild.ok(['load', '-i', baseArchive]);
  return tsbuild;
}

const mount = '--mount=type=cache,id=tool,target=/cache';
/** Fills the mount with files whose content no other build has. */
const filling = `RUN ${mount} mkdir -p /cache/d && for i in $(seq 200); do head -c 20000 /dev/urandom > /cache/d/$i; done`;
const showing = `RUN ${mount} ls /cache/d | wc -l && ls -A /cache`;

function context(...lines: string[]): string {
  const Dockerfile = [`FROM ${base}`, ...lines, ''].join('\n');
  return writeTree(join(work, `context-${places++}`), { Dockerfile, lock: 'one' });
}

const build = (folder: string, ...flags: string[]) => ['build', '--progress=rawjson', ...flags, folder];
const named = ['--cache-mount', 'id=tool,key=lock'];

/** A cache in a folder that holds the mount and the result of the step that filled it. */
async function savedCache(...flags: string[]): Promise<{ folder: string; filled: string }> {
  const folder = join(work, `cache-${places++}`);
  const filled = context(filling);
  const first = await machine();
  await first.ok(build(filled, '--cache-to', `type=local,dest=${folder}`, ...named, ...flags));
  return { folder, filled };
}

interface Manifest {
  layers: { mediaType: string; digest: string }[];
}

/** Digests of the cache's blobs of that kind. */
function blobs(folder: string, kind: string): string[] {
  const read = (digest: string) => JSON.parse(readFileSync(blobPath(folder, digest), 'utf8')) as Manifest;
  const index = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as {
    manifests: { digest: string }[];
  };
  const { layers } = read(index.manifests[0]?.digest ?? '');
  return layers.filter(({ mediaType }) => mediaType.includes(`.cache.${kind}`)).map(({ digest }) => digest);
}

function blobPath(folder: string, digest: string): string {
  return join(folder, 'blobs/sha256', digest.replace('sha256:', ''));
}

interface Told {
  type: string;
  text?: string;
  message?: string;
}

function told({ stderr }: Outcome): Told[] {
  const lines = stderr.split('\n').filter((line) => line.startsWith('{'));
  return lines.map((line) => JSON.parse(line) as Told);
}

const output = (outcome: Outcome) =>
  told(outcome)
    .map(({ text }) => text ?? '')
    .join('');
const warnings = (outcome: Outcome) =>
  told(outcome).flatMap(({ type, message = '' }) => (type === 'warning' ? message : []));

test('a build of hits fetches nothing of a mount, not even where its blobs are gone', async () => {
  const { folder, filled } = await savedCache();
  for (const digest of ['mount', 'pack'].flatMap((kind) => blobs(folder, kind)))
    rmSync(blobPath(folder, digest));
  const fresh = await machine();
  const hits = await fresh.ok(build(filled, '--cache-from', `type=local,src=${folder}`, ...named));
  assert.deepEqual(warnings(hits), []);
  assert.deepEqual(readdirSync(join(fresh.root, 'mounts')), []);
});

test('a step that runs finds the restored files, once for all steps of the build', async () => {
  const { folder } = await savedCache();
  const fresh = await machine();
  const from = ['--cache-from', `type=local,src=${folder}`];
  const shown = await fresh.ok(
    build(context(showing, `RUN ${mount} ls /cache/d | wc -l`), ...from, ...named),
  );
  assert.equal(output(shown).match(/^200$/gm)?.length, 2, output(shown));
  assert.equal(
    told(shown).filter(({ message = '' }) => /cache mount tool: restored/.test(message)).length,
    1,
  );
});

test('a bucket and a registry hold mounts as a folder does, beside those that other builds saved', async () => {
  const bucket = `cache-mounts${rootless ? '-rootless' : ''}`;
  await makeBucket(bucket);
  const env = { ...process.env, ...s3Env };
  for (const cache of [
    `type=s3,bucket=${bucket},endpoint_url=${s3Endpoint},use_path_style=true`,
    `type=registry,ref=${imageName('cache-mount-cases:both')}`,
  ]) {
    const first = await machine();
    await first.ok(build(context(filling), '--cache-to', cache, ...named), { env });
    const other = ['--cache-mount', 'id=other'];
    const filledToo = context(`RUN --mount=type=cache,id=other,target=/cache echo kept > /cache/file`);
    await first.ok(build(filledToo, '--cache-to', cache, ...other), { env });
    const fresh = await machine();
    const both = `RUN ${mount} --mount=type=cache,id=other,target=/other cat /other/file && ls /cache/d | wc -l`;
    const shown = await fresh.ok(build(context(both), '--cache-from', cache, ...named, ...other), { env });
    assert.match(output(shown), /^kept\n200$/m);
    assert.deepEqual(warnings(shown), []);
  }
});

test('what is damaged is a warning and an empty mount', async () => {
  const { folder } = await savedCache();
  const [pack = ''] = blobs(folder, 'pack');
  rmSync(blobPath(folder, pack));
  const fresh = await machine();
  const shown = await fresh.ok(
    build(context(`RUN ${mount} ls -A /cache | wc -l`), '--cache-from', `type=local,src=${folder}`, ...named),
  );
  assert.match(output(shown), /^0$/m);
  assert.match(warnings(shown).join(), /^cache mount tool: not restored, it begins empty: /);
});

test('a mount that is not named is not saved, and one of another name space is another mount', async () => {
  const folder = join(work, `cache-${places++}`);
  const to = ['--cache-to', `type=local,dest=${folder}`];
  const first = await machine();
  await first.ok(build(context(filling), ...to));
  assert.deepEqual(blobs(folder, 'mount'), []);
  const space = (name: string) => ['--build-arg', `BUILDKIT_CACHE_MOUNT_NS=${name}`];
  await first.ok(build(context(filling), ...to, ...named, ...space('a'), '--no-cache'));
  assert.equal(blobs(folder, 'mounts').length, 1);
  const fresh = await machine();
  const from = ['--cache-from', `type=local,src=${folder}`, ...named];
  const count = `RUN ${mount} ls -A /cache | wc -l`;
  assert.match(output(await fresh.ok(build(context(`${count} #b`), ...from, ...space('b')))), /^0$/m);
  assert.match(output(await fresh.ok(build(context(`${count} #a`), ...from, ...space('a')))), /^1$/m);
});

test('a key file that is not in the context ends the build', async () => {
  const tsbuild = await machine();
  const outcome = await tsbuild.run(
    build(context(showing), '--cache-mount', 'id=tool,key=../../etc/hostname'),
  );
  assert.equal(outcome.status, 1);
  assert.match(outcome.stderr, /TSB_CONTEXT_CACHE_KEY|not in the context/);
});

test('what was not signed is neither restored nor carried into a signed cache', async () => {
  const key = join(work, 'main.key');
  const publicKey = join(work, 'main.pub');
  await succeed('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', key]);
  await succeed('openssl', ['pkey', '-in', key, '-pubout', '-out', publicKey]);
  const { folder } = await savedCache();
  const before = blobs(folder, 'pack');
  const signing = ['--cache-sign', key, '--cache-verify', publicKey];
  const caches = ['--cache-from', `type=local,src=${folder}`, '--cache-to', `type=local,dest=${folder}`];
  const main = await machine();
  const shown = await main.ok(
    build(context(`RUN ${mount} ls -A /cache | wc -l`), ...caches, ...named, ...signing),
  );
  assert.match(output(shown), /^0$/m);
  assert.deepEqual(
    blobs(folder, 'pack').filter((digest) => before.includes(digest)),
    [],
  );
});

test('a build that is killed while it restores leaves nothing or a whole mount', async () => {
  const { folder } = await savedCache();
  const fresh = await machine();
  const flags = ['--cache-from', `type=local,src=${folder}`, ...named];
  for (const delay of [300, 500, 700, 900]) {
    await fresh.run(build(context(`RUN ${mount} sleep 5 # ${delay}`), ...flags), {
      started: (child) => setTimeout(() => child.kill('SIGKILL'), delay),
    });
    const mounts = join(fresh.root, 'mounts');
    for (const name of existsSync(mounts) ? readdirSync(mounts) : []) {
      const files = join(mounts, name, 'fs/d');
      if (existsSync(files)) assert.equal(readdirSync(files).length, 200);
    }
  }
  const shown = await fresh.ok(build(context(showing), ...flags));
  assert.match(output(shown), /^200$/m);
  const [name = ''] = readdirSync(join(fresh.root, 'mounts'));
  assert.deepEqual(readdirSync(join(fresh.root, 'mounts', name)).sort(), ['fs', 'id', 'lock']);
});
