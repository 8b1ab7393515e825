/** A Debian package installed in a RUN step; the pushed result read by skopeo, unpacked by umoci, run by an OCI runtime. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { succeed, Tsbuild } from '../support/command.js';
import { pushDebian } from '../support/debian.js';
import { imageName, rootless, workFolder } from '../support/env.js';
import { steps } from '../support/events.js';
import { writeTree } from '../support/files.js';
import { readLayout } from '../support/oci.js';

test('curl installed by apt in a RUN step works in runc after push, skopeo and umoci', async (t) => {
  const work = workFolder('apt');
  const tsbuild = new Tsbuild(join(work, 'store'));
  const base = await pushDebian(tsbuild);
  const context = writeTree(join(work, 'context'), {
    Dockerfile: `FROM ${base}
RUN apt-get update \\
 && apt-get install -y --no-install-recommends curl \\
 && rm -rf /var/lib/apt/lists/*
ENTRYPOINT ["curl"]
`,
  });
  const image = imageName('curl:1');

  const cold = await tsbuild.ok(['build', '--progress=rawjson', '-t', image, '--push', context]);
  t.diagnostic(`cold build with push: ${cold.seconds.toFixed(1)} s`);

  const inspected = await succeed('skopeo', ['inspect', '--tls-verify=false', `docker://${image}`]);
  assert.equal((JSON.parse(inspected.stdout) as { Layers: string[] }).Layers.length, 2);

  const layout = join(work, 'layout');
  await succeed('skopeo', ['copy', '--src-tls-verify=false', `docker://${image}`, `oci:${layout}:curl`]);
  assert.deepEqual(readLayout(layout).config.config?.['Entrypoint'], ['curl']);

  const bundle = join(work, 'bundle');
  await succeed('umoci', [
    'unpack',
    ...(rootless ? ['--rootless'] : []),
    '--image',
    `${layout}:curl`,
    bundle,
  ]);
  const version = await runInRuntime(bundle, ['curl', '--version']);
  assert.match(version, /^curl \d+\.\d+/);

  const again = await tsbuild.ok(['build', '--progress=rawjson', '-t', image, context]);
  assert.deepEqual(
    steps(again).ran.filter((name) => name.includes('RUN')),
    [],
  );
  t.diagnostic(`cached build: ${again.seconds.toFixed(2)} s`);
});

/** Runs a command in the bundle with runc (crun refuses machines that mix cgroup versions), without a terminal and on the host's network. */
async function runInRuntime(bundle: string, args: string[]): Promise<string> {
  const file = join(bundle, 'config.json');
  const spec = JSON.parse(readFileSync(file, 'utf8')) as {
    process: { terminal: boolean; args: string[] };
    linux: { namespaces: { type: string }[]; resources?: unknown };
  };
  spec.process.terminal = false;
  spec.process.args = args;
  spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'network');
  delete spec.linux.resources;
  writeFileSync(file, JSON.stringify(spec));
  const state = join(bundle, 'state');
  const id = `tsbuild-test-${process.pid}`;
  const outcome = await succeed('runc', ['--root', state, 'run', '--bundle', bundle, id]);
  return outcome.stdout;
}
