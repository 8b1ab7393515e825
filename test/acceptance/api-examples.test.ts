/** The library's examples, run by programs that import tsbuild as a package. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { busyboxImage } from '../support/busybox.js';
import { command, succeed, Tsbuild } from '../support/command.js';
import { bin, examples, imageName, workFolder } from '../support/env.js';
import { writeTree } from '../support/files.js';
import { library } from '../support/library.js';

/** A folder with tsbuild among its dependencies, the examples, and a store that has the base. */
async function project(name: string) {
  const work = workFolder(name);
  const store = join(work, 'store');
  const base = await busyboxImage(new Tsbuild(store), work);
  mkdirSync(join(work, 'node_modules'));
  symlinkSync(dirname(dirname(bin)), join(work, 'node_modules/tsbuild'));
  await succeed('cp', ['-r', join(examples(), 'api'), work]);
  const env = { ...process.env, TSBUILD_ROOT: store };
  return {
    work,
    base,
    node: (file: string, ...args: string[]) =>
      command(process.execPath, [join(work, 'api', file), ...args], { cwd: work, env }),
  };
}

test('build-and-push.mjs pushes, and shows where a Dockerfile is wrong', async () => {
  const { work, base, node } = await project('api-push');
  const name = imageName('api/pushed:1');
  const good = writeTree(join(work, 'good'), { Dockerfile: `FROM ${base}\nRUN echo built > /it\n` });
  const pushed = await node('build-and-push.mjs', good, name);
  assert.equal(pushed.status, 0, pushed.stderr);
  const digest = /^pushed {2}\S+ (sha256:[0-9a-f]{64})$/m.exec(pushed.stdout)?.[1];
  const found = await succeed('skopeo', [
    'inspect',
    '--tls-verify=false',
    '--format={{.Digest}}',
    `docker://${name}`,
  ]);
  assert.equal(found.stdout.trim(), digest);

  const bad = writeTree(join(work, 'bad'), { Dockerfile: `FROM ${base}\nRUN exit 3\n` });
  const failed = await node('build-and-push.mjs', bad, name);
  assert.equal(failed.status, 1);
  assert.match(failed.stderr, /^TSB_EXEC_FAILED: [\s\S]* at \S*Dockerfile:2$/m);
});

test('in-memory.mjs writes what its Dockerfile makes', async () => {
  const { work, base, node } = await project('api-memory');
  const made = await node('in-memory.mjs', base, 'out');
  assert.equal(made.status, 0, made.stderr);
  assert.equal(readFileSync(join(work, 'out/index.html'), 'utf8'), '<h1>made in memory</h1>\n');
  assert.ok(existsSync(join(work, 'out/when')));
});

test('cancel.cjs stops in time', async () => {
  const { base, node } = await project('api-cancel');
  const stopped = await node('cancel.cjs', base, '1500');
  assert.equal(stopped.stdout, 'stopped: TSB_CANCELLED_ABORTED\n', stopped.stderr);
  assert.ok(stopped.seconds < 20, `${stopped.seconds} s`);
});

test('type=registry pushes each output as it is asked for, and leaves no name in the store', async () => {
  const work = workFolder('api-registry');
  const root = join(work, 'store');
  const base = await busyboxImage(new Tsbuild(root), work);
  const { build, images } = await library();
  const names = [imageName('api/outputs:gzip'), imageName('api/outputs:docker')];
  const { outputs } = (await build({
    root,
    dockerfileText: `FROM ${base}\nRUN echo pushed > /it\n`,
    outputs: [
      { type: 'registry', names: [names[0]], compressionLevel: 9, forceCompression: true },
      { type: 'registry', names: [names[1]], ociMediatypes: false, compression: 'uncompressed' },
    ],
  })) as { names: string[]; outputs?: { digest: string; names: string[] }[] };
  assert.deepEqual(
    outputs?.map((output) => output.names),
    names.map((name) => [name]),
  );
  for (const [index, types] of [
    [0, ['application/vnd.oci.image.layer.v1.tar+gzip']],
    [1, ['application/vnd.docker.image.rootfs.diff.tar']],
  ] as const) {
    const source = `docker://${names[index]}`;
    const raw = await succeed('skopeo', ['inspect', '--tls-verify=false', '--raw', source]);
    const { layers } = JSON.parse(raw.stdout) as { layers: { mediaType: string }[] };
    assert.deepEqual([...new Set(layers.map(({ mediaType }) => mediaType))], types);
    const found = await succeed('skopeo', ['inspect', '--tls-verify=false', '--format={{.Digest}}', source]);
    assert.equal(found.stdout.trim(), outputs?.[index]?.digest);
  }
  assert.deepEqual(
    (await images({ root })).map(({ familiarName }) => familiarName),
    [base],
  );
});
