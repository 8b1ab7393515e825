/** Cache mounts on storage that fails, in front of a real registry: the whole mount, or an empty one and a warning. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { busyboxImage } from '../support/busybox.js';
import { Tsbuild } from '../support/command.js';
import { imageName, registry, workFolder } from '../support/env.js';
import { type Fault, type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.js';
import { writeTree } from '../support/files.js';

const work = workFolder('cache-mount-faults');
const proxies: FaultyProxy[] = [];
let machines = 0;
const machine = () => new Tsbuild(join(work, `store-${machines++}`));
after(() => Promise.all(proxies.map((proxy) => proxy.stop())));

const maker = machine();
const base = imageName('cache-mount-faults-base');
await maker.ok(['push', await busyboxImage(maker, work), base]);
const mount = '--mount=type=cache,id=tool,target=/cache';
const flags = ['--cache-mount', 'id=tool', '--progress=rawjson'];
const cache = (host: string) =>
  `type=registry,ref=${imageName('cache-mount-faults:main').replace(registry, host)}`;
const fill = `RUN ${mount} for i in $(seq 100); do head -c 30000 /dev/urandom > /cache/$i; done; cd /cache; sha256sum * > /sums`;
const context = (run: string) =>
  writeTree(join(work, `context-${randomBytes(4).toString('hex')}`), {
    Dockerfile: `FROM ${base}\n${run}\n`,
  });
await maker.ok(['build', ...flags, '--cache-to', cache(registry), context(fill)]);

const faults: { name: string; fault: Fault; restored?: boolean }[] = [
  { name: 'not found', fault: { status: 404 } },
  { name: 'status 500', fault: { status: 500 } },
  { name: 'reset at once', fault: { cut: 0 } },
  { name: 'a flipped bit', fault: 'flip' },
  { name: 'other bytes', fault: { status: 200, body: 'x'.repeat(1000) } },
  { name: 'reset in the middle', fault: { cut: 80_000 }, restored: true },
  { name: 'truncated', fault: { short: 80_000 }, restored: true },
  { name: 'slow', fault: { slow: 100 }, restored: true },
];

test('a pack that cannot be had', { concurrency: 4 }, async (t) => {
  const run = async ({ name, fault, restored = false }: (typeof faults)[number]) => {
    const proxy = await startFaultyProxy(registry);
    proxies.push(proxy);
    let met = 0;
    proxy.fault = ({ path, size }) => {
      // The only pack; the base image comes from the registry itself.
      if (!path.includes('/blobs/') || size < 100_000) return undefined;
      met += 1;
      return fault;
    };
    const show = `RUN ${mount} echo "files: $(ls -A /cache | wc -l)" # ${name}`;
    const outcome = await machine().ok(
      ['build', ...flags, '--cache-from', cache(proxy.host), context(show)],
      {
        limit: 240,
      },
    );
    assert.ok(met > 0, `${name}: the fault was met`);
    assert.match(outcome.stderr, restored ? /files: 100\\n/ : /files: 0\\n/, outcome.stderr);
    assert.equal(/"rule":"CacheMount"/.test(outcome.stderr), !restored, outcome.stderr);
    await proxy.stop();
  };
  await Promise.all(faults.map((one) => t.test(one.name, () => run(one))));
});
