/**
 * Caches in a bucket between docker buildx and tsbuild. Docker's daemon has no type=s3 (BuildKit has it elsewhere), so what
 * docker buildx writes to and reads from a folder goes to and from the bucket by the rules of BuildKit's
 * cache/remotecache/s3: blobs under their digests, and the config with facts about each layer under the cache's name.
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { busyboxImage } from '../support/busybox.js';
import { Tsbuild } from '../support/command.js';
import { registry } from '../support/env.js';
import { steps } from '../support/events.js';
import { writeTree } from '../support/files.js';
import { makeBucket, s3, s3Endpoint, s3Env } from '../support/s3.js';
import { buildx } from './builders.js';

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  annotations?: Record<string, string>;
}

interface Config {
  layers?: {
    blob: string;
    annotations?: { mediaType: string; diffID: string; size: number; createdAt?: string };
  }[];
}

const env = { ...process.env, ...s3Env };
// The daemon sees the temporary folder as this machine does.
const work = mkdtempSync(join(tmpdir(), 'tsbuild-peers-s3-'));
after(() => rmSync(work, { recursive: true, force: true }));
const bucket = `peers-${randomBytes(4).toString('hex')}`;
await makeBucket(bucket);
const cache = (name: string) =>
  `type=s3,bucket=${bucket},name=${name},endpoint_url=${s3Endpoint},use_path_style=true`;
let machines = 0;
const machine = () => new Tsbuild(join(work, `store-${machines++}`));

const maker = machine();
const base = `${registry}/peers/cache-s3-base:${randomBytes(4).toString('hex')}`;
await maker.ok(['push', await busyboxImage(maker, work), base]);
const context = writeTree(join(work, 'context'), {
  input: `${randomBytes(8).toString('hex')}\n`,
  Dockerfile: `FROM ${base}
COPY input /input
RUN cat /input /input > /twice; cat /proc/sys/kernel/random/uuid > /uuid
`,
});
const job = (options: string[]) => ({ context, dockerfile: join(context, 'Dockerfile'), options });
const uncompressed = 'containerd.io/uncompressed';
const createdAt = 'buildkit/createdat';

test('tsbuild reads from a bucket what docker buildx made', async () => {
  const folder = join(work, 'from-buildx');
  const made = await buildx.build(
    job(['--cache-to', `type=local,dest=${folder},mode=max`]),
    join(work, 'x.tar'),
  );
  assert.equal(made.status, 0, made.stderr);
  const read = (digest: string) => readFileSync(join(folder, 'blobs/sha256', digest.slice('sha256:'.length)));
  const { manifests } = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8'));
  const manifest = JSON.parse(read(manifests[0].digest).toString());
  const config: Config = JSON.parse(read(manifest.config.digest).toString());
  const byDigest = new Map((manifest.layers as Descriptor[]).map((layer) => [layer.digest, layer]));
  for (const layer of config.layers ?? []) {
    const { mediaType, size, annotations = {} } = byDigest.get(layer.blob) ?? assert.fail(layer.blob);
    const created = annotations[createdAt];
    layer.annotations = {
      mediaType,
      size,
      diffID: annotations[uncompressed] ?? '',
      ...(created === undefined ? {} : { createdAt: created }),
    };
    assert.ok((await s3('PUT', `/${bucket}/blobs/${layer.blob}`, read(layer.blob))).ok);
  }
  assert.ok((await s3('PUT', `/${bucket}/manifests/of-buildx`, JSON.stringify(config))).ok);

  const args = ['build', '--progress=rawjson', '-t', 'found', '--cache-from', cache('of-buildx'), context];
  const tsbuild = machine();
  const found = await tsbuild.ok(args, { env });
  assert.deepEqual(
    steps(found).ran.filter((name) => /COPY|RUN/.test(name)),
    [],
    found.stderr,
  );
  const input = readFileSync(join(context, 'input'), 'utf8');
  assert.equal((await tsbuild.ok(['run', 'found', 'cat', '/twice'])).stdout, input + input);
});

test('docker buildx reads what tsbuild wrote to a bucket', async () => {
  const tsbuild = machine();
  // Not the first test's: a step that buildx made already would be CACHED anyway.
  writeFileSync(join(context, 'input'), `${randomBytes(8).toString('hex')}\n`);
  const to = `${cache('of-tsbuild')},mode=max`;
  await tsbuild.ok(['build', '-t', 'written', '--cache-to', to, context], { env });
  const config = (await (await s3('GET', `/${bucket}/manifests/of-tsbuild`)).json()) as Config;
  const folder = join(work, 'to-buildx');
  mkdirSync(join(folder, 'blobs/sha256'), { recursive: true });
  const put = (mediaType: string, bytes: Uint8Array): Descriptor => {
    const hex = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(folder, 'blobs/sha256', hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const layers: Descriptor[] = [];
  for (const { blob, annotations } of config.layers ?? []) {
    assert.ok(annotations, 'BuildKit refuses layers without these');
    const answer = await s3('GET', `/${bucket}/blobs/${blob}`);
    const descriptor = put(annotations.mediaType, Buffer.from(await answer.arrayBuffer()));
    assert.deepEqual([descriptor.digest, descriptor.size], [blob, annotations.size]);
    const facts = { [uncompressed]: annotations.diffID, [createdAt]: annotations.createdAt ?? '' };
    layers.push({
      ...descriptor,
      annotations: Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== '')),
    });
  }
  const plain = {
    ...config,
    tsbuild: undefined,
    layers: config.layers?.map((layer) => ({ ...layer, annotations: undefined })),
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: put('application/vnd.buildkit.cacheconfig.v0', Buffer.from(JSON.stringify(plain))),
    layers,
  };
  const root = put(manifest.mediaType, Buffer.from(JSON.stringify(manifest)));
  const entry = { ...root, annotations: { 'org.opencontainers.image.ref.name': 'latest' } };
  writeFileSync(join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
  writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');

  const from = ['--progress=plain', '--cache-from', `type=local,src=${folder}`];
  const found = await buildx.tag(job(from), 'tsbuild-peers-s3', false);
  assert.equal(found.status, 0, found.stderr);
  for (const step of ['COPY input /input', 'RUN cat /input'])
    assert.match(
      found.stderr,
      new RegExp(`\\] ${step}.*\\n#\\d+ CACHED|\\] ${step}[\\s\\S]*?CACHED`),
      found.stderr,
    );
  assert.doesNotMatch(found.stderr, /RUN cat \/input[^\n]*\n#\d+ DONE/);
});
