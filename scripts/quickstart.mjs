/**
 * npm run quickstart: from a fresh checkout to a built and running image, with the public command alone.
 *
 * The base image is pulled from its registry; where that cannot be reached it is made from Debian's busybox package
 * and imported, and the script says so.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureBuilt } from './lib/prepare.mjs';
import { fail, must, output, repo, run, say } from './lib/run.mjs';

const tsbuild = join(repo, 'packages/tsbuild/bin/tsbuild');
const base = 'busybox:stable';
const image = 'hello:quickstart';

function step(text) {
  say(`\n\u2500\u2500 ${text}`);
}

async function haveBase() {
  if (output(tsbuild, ['inspect', base]) !== undefined) {
    say(`${base} is in the local store already.`);
    return;
  }
  const pulled = await run(tsbuild, ['pull', base], { timeout: 60_000 });
  if (pulled === 0) return;
  say(
    `The registry of ${base} cannot be reached from here: making the base from Debian's busybox-static package.`,
  );
  const work = mkdtempSync(join(tmpdir(), 'tsbuild-quickstart-'));
  try {
    await importBusybox(work);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Unpacks the package (no root needed), lays its one binary out as a root file system, and imports that. */
async function importBusybox(work) {
  await must('apt-get', ['download', '-qq', 'busybox-static'], { cwd: work });
  const [deb] = readdirSync(work).filter((name) => name.endsWith('.deb'));
  if (!deb)
    fail('apt-get downloaded no busybox-static package', 'apt-get update, then npm run quickstart again');
  await must('dpkg-deb', ['--extract', deb, 'package'], { cwd: work });
  const root = join(work, 'root');
  for (const folder of ['bin', 'etc', 'root', 'tmp', 'var'])
    mkdirSync(join(root, folder), { recursive: true });
  const busybox = ['bin/busybox', 'usr/bin/busybox'].map((path) => join(work, 'package', path));
  copyFirst(busybox, join(root, 'bin/busybox'));
  const applets = spawnSync(join(root, 'bin/busybox'), ['--list'], { encoding: 'utf8' })
    .stdout.trim()
    .split('\n');
  for (const applet of applets) if (applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet));
  await must('tar', ['--numeric-owner', '--owner=0', '--group=0', '-C', root, '-cf', 'root.tar', '.'], {
    cwd: work,
  });
  await must(tsbuild, ['import', '--change', 'CMD ["sh"]', join(work, 'root.tar'), base]);
}

function copyFirst(candidates, destination) {
  for (const candidate of candidates) {
    try {
      copyFileSync(candidate, destination);
      chmodSync(destination, 0o755);
      return;
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
  }
  fail('the busybox-static package has no busybox where it is expected');
}

const started = Date.now();
step('Installing and compiling');
await ensureBuilt();

step(`The base image, ${base}`);
await haveBase();

step('tsbuild build -t hello:quickstart examples/hello');
const work = mkdtempSync(join(tmpdir(), 'tsbuild-quickstart-'));
try {
  const metadata = join(work, 'metadata.json');
  await must(tsbuild, [
    'build',
    '--build-arg',
    `BASE=${base}`,
    '-t',
    image,
    '--metadata-file',
    metadata,
    'examples/hello',
  ]);
  step('tsbuild images');
  await must(tsbuild, ['images']);
  const digest = JSON.parse(readFileSync(metadata, 'utf8'))['containerimage.digest'];
  say(`\nImage:  ${image}\nDigest: ${digest}`);
} finally {
  rmSync(work, { recursive: true, force: true });
}

step(`tsbuild run ${image}`);
await must(tsbuild, ['run', image]);
say(`\nDone in ${((Date.now() - started) / 1000).toFixed(0)} s. Next: ${tsbuild} --help`);
