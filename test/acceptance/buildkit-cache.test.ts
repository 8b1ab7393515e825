/** A cache that docker buildx wrote answers every step of the same Dockerfile. */
import assert from 'node:assert/strict';
import { chmodSync, cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { Tsbuild } from '../support/command.js';
import { fixtures, workFolder } from '../support/env.js';
import { steps } from '../support/events.js';
import { writeTree } from '../support/files.js';
import { readLayout } from '../support/oci.js';

const work = workFolder('buildkit-cache');
const fixture = join(fixtures(), 'buildkit-cache');
const cache = join(work, 'cache');
const context = join(work, 'context');
const dockerfile = join(work, 'Dockerfile');
let stores = 0;

before(() => {
  cpSync(join(fixture, 'cache'), cache, { recursive: true });
  cpSync(join(fixture, 'Dockerfile'), dockerfile);
  writeContext({ f: 'f\n', 'd/x': 'x\n' });
});

/** With the modes that were recorded, whatever the umask. */
function writeContext(files: Record<string, string>): void {
  writeTree(context, files);
  for (const name of Object.keys(files)) chmodSync(join(context, name), 0o644);
  chmodSync(join(context, 'd'), 0o755);
}

/** Digests of the layers of the image that BuildKit made with the cache. */
const layers = [
  'sha256:7fc6028d122add190c4fb7db722ab49129b2a150600a2aea0379ef46e1d1d6e8',
  'sha256:c7485cf2844068ea25c927f52ad48492e71ddadc702eed06a48e53abbd5a4a2c',
  'sha256:b1ec4f7022ba013d6ed1d118ec82db1dcb085663448db31b8fdf035e8fb4985a',
  'sha256:f8b31dd386fd764c208287d9758b02afc085f8dcac1331668ccd7e3d939a7657',
  'sha256:4943dd9387f07fd5b4de2ab55c027c8c8d90fe62b742e7dab14c5fa84aac6763',
  'sha256:9ce4007da10f2887162209130a67f89927abd90436895087e782c460b295ffb5',
  'sha256:adabe1bf330a528e91e6b10b0c6e52ed29a8f8d4907e084368905ee9233a2a7a',
];

const instructions = [
  'COPY --chmod=600 <<A /h',
  'COPY --from=build /w/made /o/',
  'COPY --link f /l',
  'COPY f d /c/',
  'COPY f made',
  'RUN --mount=source=d,target=/s --mount=type=cache,target=/c --mount=type=secret,id=key compile',
  'RUN <<E (last)',
  'RUN make "1" && <stuff>',
  'WORKDIR /own',
  'WORKDIR /w',
];

async function build(...flags: string[]) {
  const tsbuild = new Tsbuild(join(work, `store-${stores++}`));
  const outcome = await tsbuild.ok([
    'build',
    '--progress=rawjson',
    '--platform=linux/amd64',
    '--network=host',
    `--build-context=tiny=oci-layout://${join(fixture, 'base')}`,
    `--cache-from=type=local,src=${cache}`,
    ...flags,
    ...['-f', dockerfile, context],
  ]);
  const { ran, cached } = steps(outcome);
  const instructionsOf = (names: string[]) =>
    names
      .filter((name) => /^\[\S+ +\d+\/\d+\] (?!FROM)/.test(name))
      .map((name) => name.replace(/^\[[^\]]*\] /, ''))
      .sort();
  return { outcome, ran: instructionsOf(ran), cached: instructionsOf(cached) };
}

/** Those of its programs that run are the machine's own. */
const skip = process.arch === 'x64' ? false : 'the base image is for amd64';

/** Digest of the blob of a layer in the cache. */
function blobOf(diffId: string): string {
  const read = (path: string) => JSON.parse(readFileSync(join(cache, path), 'utf8')) as unknown;
  const { manifests } = read('index.json') as { manifests: { digest: string }[] };
  const manifest = read(`blobs/${manifests[0]?.digest.replace(':', '/')}`) as {
    layers: { digest: string; annotations: Record<string, string> }[];
  };
  const found = manifest.layers.find(
    ({ annotations }) => annotations['containerd.io/uncompressed'] === diffId,
  );
  return found?.digest ?? '';
}

describe('a cache that docker buildx wrote', () => {
  test('has every step, and its layers are the image’s', async () => {
    const layout = join(work, 'image');
    const { ran, cached } = await build('--output', `type=oci,tar=false,dest=${layout}`);
    assert.deepEqual({ ran, cached }, { ran: [], cached: instructions });
    assert.deepEqual(readLayout(layout).config.rootfs.diff_ids, layers);
  });

  test('has the steps that a changed file does not touch', { skip }, async () => {
    writeContext({ f: 'f\n', 'd/x': 'changed\n' });
    const { cached } = await build();
    writeContext({ f: 'f\n', 'd/x': 'x\n' });
    assert.deepEqual(cached, ['COPY --link f /l', 'RUN make "1" && <stuff>', 'WORKDIR /w']);
  });

  test('is left out, with a warning, where it lacks a layer', { skip }, async () => {
    rmSync(join(cache, 'blobs', blobOf(layers[2] ?? '').replace(':', '/')));
    const { ran, outcome } = await build();
    assert.deepEqual(ran, instructions);
    assert.match(outcome.stderr, /lacks a layer/);
  });
});
