/**
 * npm test: brings what the tests need, runs them all, and cleans up.
 *
 *   npm test                  everything: unit, acceptance as root (where we are root), acceptance rootless
 *   npm run test:unit         the packages' own tests only
 *   npm run test:peers        also brings docker buildx and buildah and compares their images with ours
 *   npm test -- --only WORD   acceptance tests whose file name has WORD
 */
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensurePackages } from './lib/apt.mjs';
import { debianTar } from './lib/bases.mjs';
import { withPeers } from './lib/peers.mjs';
import { ensureBuilt } from './lib/prepare.mjs';
import { startRegistry } from './lib/registry.mjs';
import { asUser, ensureUser, installTree } from './lib/rootless.mjs';
import { must, output, repo, run, say } from './lib/run.mjs';
import { startS3 } from './lib/s3-server.mjs';

const packages = [
  'acl',
  'attr',
  'busybox-static',
  'bzip2',
  'crun',
  'curl',
  'docker-registry',
  'git',
  'libcap2-bin',
  'mmdebstrap',
  'openssh-client',
  'python3-swift',
  'runc',
  'skopeo',
  'slirp4netns',
  'uidmap',
  'umoci',
  'xz-utils',
  'zstd',
];

const flags = process.argv.slice(2);
const unitOnly = flags.includes('--unit');
const peers = flags.includes('--peers');
const only = flags.includes('--only') ? flags[flags.indexOf('--only') + 1] : '';
const isRoot = process.getuid() === 0;

/** All files below a folder whose path ends with one of the suffixes. */
function filesBelow(dir, suffixes) {
  return readdirSync(dir, { recursive: true })
    .map((name) => join(dir, name))
    .filter((path) => suffixes.some((suffix) => path.endsWith(suffix)) && statSync(path).isFile())
    .sort();
}

function unitTests() {
  const folders = readdirSync(join(repo, 'packages')).map((name) =>
    join(repo, 'packages', name, 'dist/test'),
  );
  return [
    ...folders.flatMap((dir) => filesBelow(dir, ['.test.js'])),
    ...filesBelow(join(repo, 'native/test'), ['.test.mjs']),
  ];
}

/** Where every suite, the unprivileged user's too, finds the reporter and leaves what failed. */
const reports = mkdtempSync(join(tmpdir(), 'tsbuild-test-report-'));
const reporter = join(reports, 'reporter.mjs');
const failed = join(reports, 'failed.txt');
copyFileSync(join(repo, 'scripts/lib/test-reporter.mjs'), reporter);
writeFileSync(failed, '');
chmodSync(reports, 0o755);
chmodSync(reporter, 0o644);
chmodSync(failed, 0o666);

function nodeTest(files, seconds) {
  return [
    '--test',
    '--test-concurrency=2',
    `--test-timeout=${seconds * 1000}`,
    `--test-reporter=${reporter}`,
    '--test-reporter-destination=stdout',
    ...files,
  ];
}

const failures = [];
async function suite(title, command, args, options) {
  say(`\n== ${title} ==`);
  const started = Date.now();
  const status = await run(command, args, options);
  say(
    `== ${title}: ${status === 0 ? 'passed' : 'FAILED'} in ${((Date.now() - started) / 1000).toFixed(0)} s ==`,
  );
  if (status !== 0) failures.push(title);
}

async function acceptance() {
  const work = mkdtempSync(join(tmpdir(), 'tsbuild-test-'));
  chmodSync(work, 0o755);
  const s3 = await startS3();
  const registry = await startRegistry();
  try {
    const files = ['acceptance', 'differential']
      .flatMap((name) => filesBelow(join(repo, 'test/dist', name), ['.test.js']))
      .filter((file) => file.includes(only));
    const bin = installTree(join(work, 'app'));
    const tests = join(work, 'test');
    const env = {
      ...s3.env,
      TSBUILD_TEST_BIN: bin,
      TSBUILD_TEST_FAILURES: failed,
      TSBUILD_TEST_CASE: process.env.TSBUILD_TEST_CASE ?? '',
      TSBUILD_TEST_REGISTRY: registry.host,
      TSBUILD_TEST_DEBIAN: await publicCopy(await debianTar(), work),
      TSBUILD_TEST_EXAMPLES: join(tests, 'examples'),
      TSBUILD_TEST_GOLDEN: join(tests, 'golden'),
      TSBUILD_TEST_FIXTURES: join(tests, 'fixtures'),
      TSBUILD_TEST_REPO: repo,
    };
    await must('cp', ['-r', join(repo, 'test/dist'), tests]);
    await must('cp', ['-r', join(repo, 'examples'), join(tests, 'examples')]);
    await must('cp', ['-r', join(repo, 'test/differential/golden'), join(tests, 'golden')]);
    await must('cp', ['-r', join(repo, 'test/fixtures'), join(tests, 'fixtures')]);
    await must('cp', [join(repo, 'test/package.json'), tests]);
    await must('chmod', ['-R', 'a+rX', work]);
    const copied = files.map((file) => join(tests, file.slice(join(repo, 'test/dist').length)));
    if (isRoot) {
      const rootWork = folder(work, 'root');
      const rootEnv = { ...process.env, ...env, TSBUILD_TEST_MODE: 'root', TSBUILD_TEST_WORK: rootWork };
      Object.assign(rootEnv, cloneOf(rootWork));
      await suite('acceptance, as root', process.execPath, nodeTest(copied, 900), { env: rootEnv });
      const user = await ensureUser();
      const userWork = folder(work, 'user');
      const userEnv = {
        ...env,
        TSBUILD_TEST_MODE: 'rootless',
        TSBUILD_TEST_WORK: userWork,
        TMPDIR: userWork,
      };
      Object.assign(userEnv, cloneOf(userWork));
      await must('chown', ['-R', `${user.uid}:${user.gid}`, userWork]);
      const command = [process.execPath, ...nodeTest(copied, 900)];
      await suite('acceptance, as an unprivileged user', ...asUser(user, userEnv, command), {
        cwd: userWork,
      });
    } else {
      say('Not root: the acceptance tests run rootless only.');
      const userWork = folder(work, 'user');
      const userEnv = { ...process.env, ...env, TSBUILD_TEST_MODE: 'rootless', TSBUILD_TEST_WORK: userWork };
      Object.assign(userEnv, cloneOf(userWork));
      await suite('acceptance, rootless', process.execPath, nodeTest(copied, 900), { env: userEnv });
    }
  } finally {
    await registry.stop();
    await s3.stop();
    await removeAll(work);
  }
}

/** What was committed, as a repository that the quickstart test clones; nothing where this is no git checkout. */
function cloneOf(parent) {
  const clone = join(parent, 'repository.git');
  const made = output('git', ['clone', '--quiet', '--bare', '--no-hardlinks', repo, clone]) !== undefined;
  return made ? { TSBUILD_TEST_CLONE: clone } : {};
}

function folder(parent, name) {
  const path = join(parent, name);
  mkdirSync(path, { recursive: true });
  return path;
}

async function publicCopy(file, work) {
  const copy = join(work, 'debian.tar');
  await must('cp', ['--reflink=auto', file, copy]);
  return copy;
}

/** A rootless store holds files of subordinate ids, which only root or its user name space can remove. */
async function removeAll(path) {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    await run('unshare', ['--map-root-user', '--map-auto', 'rm', '-rf', path]);
  }
}

await ensureBuilt();
if (!only && !peers) {
  await ensurePackages(packages);
  const s3 = await startS3();
  try {
    const env = { ...process.env, ...s3.env, TSBUILD_TEST_FAILURES: failed };
    await suite('unit', process.execPath, nodeTest(unitTests(), 900), { env });
  } finally {
    await s3.stop();
  }
}
if (!unitOnly && !peers) {
  await ensurePackages(packages);
  await acceptance();
}
if (peers) {
  const files = filesBelow(join(repo, 'test/dist/peers'), ['.test.js']);
  await ensurePackages(['python3-swift']);
  const s3 = await startS3();
  try {
    await withPeers((env) =>
      suite('peers', process.execPath, nodeTest(files, 1800), {
        env: { ...env, ...s3.env, TSBUILD_TEST_FAILURES: failed },
      }),
    );
  } finally {
    await s3.stop();
  }
}
const whatFailed = readFileSync(failed, 'utf8');
rmSync(reports, { recursive: true, force: true });
if (failures.length > 0) {
  say(`\n${whatFailed}\nFailed: ${failures.join(', ')}`);
  process.exit(1);
}
say('\nAll passed.');
