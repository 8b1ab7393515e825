/**
 * Shared caches on storage that fails: for each way to fail, in front of a real registry and a real S3 server, a build
 * that reads the cache ends well with the right files and says what was wrong; a build that writes it fails, unless told
 * not to.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { busyboxImage } from '../support/busybox.js';
import { type Outcome, Tsbuild } from '../support/command.js';
import { imageName, registry, rootless, workFolder } from '../support/env.js';
import { steps } from '../support/events.js';
import { type Fault, type FaultyProxy, type Passing, startFaultyProxy } from '../support/faulty-proxy.js';
import { writeTree } from '../support/files.js';
import { makeBucket, s3Endpoint, s3Env } from '../support/s3.js';

const env = { ...process.env, ...s3Env };
const work = workFolder('cache-faults');
const bucket = `faults-${rootless ? 'user' : 'root'}-${randomBytes(4).toString('hex')}`;
const proxies: FaultyProxy[] = [];
let machines = 0;
const machine = () => new Tsbuild(join(work, `store-${machines++}`));
after(() => Promise.all(proxies.map((proxy) => proxy.stop())));

const maker = machine();
const base = imageName('cache-faults-base');
await maker.ok(['push', await busyboxImage(maker, work), base]);
await makeBucket(bucket);
const context = writeTree(join(work, 'context'), {
  'input.bin': randomBytes(200_000).toString('hex'),
  Dockerfile: `FROM ${base}
COPY input.bin /input
RUN sha256sum < /input > /sum; cp /input /copy
`,
});
await maker.ok(['build', '-t', 'right', context]);
const sum = (await maker.ok(['run', 'right', 'cat', '/sum'])).stdout;

/** How the cache is named, by way of a host. */
const media: Record<string, { real: string; at: (host: string) => string }> = {
  registry: {
    real: registry,
    at: (host) => `type=registry,ref=${host}/${rootless ? 'rootless' : 'root'}/cache-faults:main`,
  },
  s3: {
    real: new URL(s3Endpoint).host,
    at: (host) => `type=s3,bucket=${bucket},endpoint_url=http://${host},use_path_style=true`,
  },
};

type Where = (passing: Passing) => boolean;
const document: Where = ({ path }) => /manifests/.test(path);
/** Layers; documents are small. */
const layers: Where = ({ path, size }) => /blobs/.test(path) && size > 100_000;
const blobs: Where = ({ path }) => /blobs/.test(path);
const everything: Where = () => true;

const faults: { name: string; where: Where; fault: Fault; hit?: boolean }[] = [
  { name: 'the document: status 500', where: document, fault: { status: 500 } },
  { name: 'the document: reset', where: document, fault: 'reset' },
  { name: 'the document: garbage', where: document, fault: { status: 200, body: '{"hello":"world"' } },
  { name: 'the document: a flipped bit', where: document, fault: 'flip' },
  { name: 'all blobs: not found', where: blobs, fault: { status: 404 } },
  { name: 'layers: status 500', where: layers, fault: { status: 500 } },
  { name: 'layers: reset at once', where: layers, fault: { cut: 0 } },
  { name: 'layers: a flipped bit', where: layers, fault: 'flip' },
  { name: 'layers: other bytes', where: layers, fault: { status: 200, body: 'x'.repeat(1000) } },
  // Taken up where they broke.
  { name: 'layers: reset in the middle', where: layers, fault: { cut: 80_000 }, hit: true },
  { name: 'layers: truncated', where: layers, fault: { short: 80_000 }, hit: true },
  { name: 'everything: slow', where: everything, fault: { slow: 100 }, hit: true },
];

const ownSteps = (names: string[]) => names.filter((name) => /RUN|COPY/.test(name));

/** On a machine of its own. @returns its outcome, with the right files or not at all */
async function readThrough(cache: string, name: string): Promise<Outcome> {
  const out = join(work, `out-${randomBytes(4).toString('hex')}`);
  const args = ['build', '--progress=rawjson', '--cache-from', cache, '-o', out, context];
  const outcome = await machine().ok(args, { env, limit: 240 });
  assert.equal(readFileSync(join(out, 'sum'), 'utf8'), sum, name);
  assert.ok(readFileSync(join(out, 'copy')).equals(readFileSync(join(context, 'input.bin'))), name);
  return outcome;
}

for (const [kind, { real, at }] of Object.entries(media)) {
  // Most of the time passes in pauses between tries.
  test(`reading ${kind}: any failure is a miss and a line in the log`, { concurrency: 4 }, async (t) => {
    await maker.ok(['build', '--cache-to', `${at(real)},mode=max`, context], { env });
    const direct = await readThrough(at(real), 'no fault');
    assert.deepEqual(ownSteps(steps(direct).ran), []);
    const run = async ({ name, where, fault, hit = false }: (typeof faults)[number]) => {
      const proxy = await startFaultyProxy(real);
      proxies.push(proxy);
      let met = 0;
      proxy.fault = (passing) => {
        if (!where(passing)) return undefined;
        met += 1;
        return fault;
      };
      const outcome = await readThrough(at(proxy.host), name);
      assert.ok(met > 0, `${name}: the fault was met`);
      const warned = /"rule":"CacheImport"/.test(outcome.stderr);
      assert.equal(warned, !hit, `${name}: ${outcome.stderr}`);
      assert.equal(ownSteps(steps(outcome).ran).length, hit ? 0 : 2, name);
      await proxy.stop();
    };
    await Promise.all(faults.map((one) => t.test(one.name, () => run(one))));
    await t.test('nobody listens', async () => {
      const outcome = await readThrough(at('127.0.0.1:1'), 'nobody listens');
      assert.match(outcome.stderr, /"rule":"CacheImport"/);
      assert.equal(ownSteps(steps(outcome).ran).length, 2);
    });
  });

  test(`writing ${kind}: a failure fails the build unless ignore-error=true`, async () => {
    const uploads: Where = ({ method }) => method === 'PUT' || method === 'POST' || method === 'PATCH';
    for (const fault of [{ status: 403 }, 'reset'] as const) {
      const proxy = await startFaultyProxy(real);
      proxies.push(proxy);
      proxy.fault = (passing) => (uploads(passing) ? fault : undefined);
      const to = `${at(proxy.host).replace('cache-faults:main', 'cache-faults-new:main')},mode=max${kind === 's3' ? ',prefix=new/' : ''}`;
      const builds = [to, `${to},ignore-error=true`].map((cache) =>
        maker.run(['build', '-t', 'faults:written', '--progress=plain', '--cache-to', cache, context], {
          env,
          limit: 240,
        }),
      );
      const [strict, lenient] = await Promise.all(builds);
      const shown = `${JSON.stringify(fault)}: ${strict?.stderr}\n${lenient?.stderr}`;
      assert.equal(strict?.status, 1, shown);
      assert.match(strict?.stderr ?? '', /ERROR: .*(500|403|failed to)/, shown);
      assert.equal(lenient?.status, 0, shown);
      assert.match(lenient?.stderr ?? '', /CacheExport: the cache type=/, shown);
      await proxy.stop();
    }
  });
}
