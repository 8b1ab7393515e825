/** Brings a checkout to the state where the CLI runs: dependencies, native part, compiled code. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fail, must, repo, say } from './run.mjs';

function olderThan(file, reference) {
  return !existsSync(file) || statSync(file).mtimeMs < statSync(reference).mtimeMs;
}

function checkNode() {
  const [major = 0, minor = 0, patch = 0] = process.versions.node.split('.').map(Number);
  const order = major * 1e6 + minor * 1e3 + patch;
  if (order < 20_018_001) {
    fail(`tsbuild needs Node 20.18.1 or newer; this is ${process.versions.node}`, 'install a newer Node.js');
  }
}

/** npm ci when node_modules is missing or older than the lock file. */
export async function ensureDependencies() {
  checkNode();
  if (!olderThan(join(repo, 'node_modules/.package-lock.json'), join(repo, 'package-lock.json'))) return;
  say('Installing npm dependencies …');
  await must('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
}

/** Compiles the addon and the sandbox helper; does nothing where they are up to date. */
export async function ensureNative() {
  await must(process.execPath, [join(repo, 'native/build.mjs')]);
}

export async function ensureBuilt() {
  await ensureDependencies();
  await ensureNative();
  say('Compiling TypeScript …');
  await must('npm', ['run', '--silent', 'build']);
}
