/**
 * Compiles the addon (src/addon, by npm's own node-gyp) and the helper program (src/helper, one static
 * executable) into build/. Does nothing when both are up to date. Ends with status 1 and one message when the
 * compiler is missing.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  openSync,
  closeSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const build = join(here, 'build');
const addon = join(build, 'Release', 'tsbuild.node');
const helper = join(build, 'tsbuild-helper');

function fail(message) {
  process.stderr.write(`tsbuild native: ${message}\n`);
  process.exit(1);
}

function onPath(program) {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, program);
    if (folder !== '' && existsSync(path)) return path;
  }
  return undefined;
}

const compiler = process.env.CC?.trim() || 'cc';

function checkTools() {
  const missing = [];
  if (onPath(compiler.split(/\s+/)[0]) === undefined && !existsSync(compiler.split(/\s+/)[0]))
    missing.push('a C compiler');
  if (onPath('make') === undefined) missing.push('make');
  if (onPath('python3') === undefined) missing.push('python3');
  if (missing.length === 0) return;
  fail(`${missing.join(', ')} not found; on Debian or Ubuntu: apt-get install -y g++ make python3`);
}

/** Folder that holds include/node, or undefined where node-gyp has to find the headers itself. */
function headersFolder() {
  const candidates = [process.env.npm_config_nodedir, dirname(dirname(realpathSync(process.execPath)))];
  return candidates.find((folder) => folder && existsSync(join(folder, 'include', 'node', 'node_api.h')));
}

function nodeGyp() {
  const npmBin = onPath('npm');
  const npmFolders = [
    join(dirname(dirname(realpathSync(process.execPath))), 'lib', 'node_modules', 'npm'),
    ...(npmBin === undefined ? [] : [dirname(dirname(realpathSync(npmBin)))]),
    '/usr/share/nodejs/npm',
  ];
  const scripts = [
    process.env.npm_config_node_gyp,
    ...npmFolders.map((folder) => join(folder, 'node_modules', 'node-gyp', 'bin', 'node-gyp.js')),
    '/usr/share/nodejs/node-gyp/bin/node-gyp.js',
  ];
  const script = scripts.find((path) => path && existsSync(path));
  if (script === undefined)
    fail('node-gyp not found; it is part of npm: install npm (on Debian: apt-get install -y npm)');
  return script;
}

function sources(folder, suffixes) {
  const path = join(here, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .filter((name) => suffixes.some((suffix) => name.endsWith(suffix)))
    .sort()
    .map((name) => join(path, name));
}

/** What a result was made from, as one digest beside it. */
function fingerprint(files, ...facts) {
  const hash = createHash('sha256').update(JSON.stringify(facts));
  for (const file of files) hash.update(`\0${file}\0`).update(readFileSync(file));
  return hash.digest('hex');
}

function isFresh(result, print) {
  const stamp = `${result}.stamp`;
  return existsSync(result) && existsSync(stamp) && readFileSync(stamp, 'utf8') === print;
}

function run(program, args) {
  const result = spawnSync(program, args, { cwd: here, encoding: 'utf8', maxBuffer: 64 << 20 });
  if (result.error !== undefined) fail(`cannot run ${program}: ${result.error.message}`);
  if (result.status !== 0) fail(`${program} ${args.join(' ')} failed:\n${result.stdout}${result.stderr}`);
  if (/warning:/.test(result.stdout + result.stderr)) process.stderr.write(result.stdout + result.stderr);
}

function buildAddon() {
  const files = [...sources('src/addon', ['.c', '.h']), join(here, 'binding.gyp')];
  const print = fingerprint(files, process.version, process.arch);
  if (isFresh(addon, print)) return;
  checkTools();
  const headers = headersFolder();
  const args = [nodeGyp(), 'configure', 'build', '--loglevel=error'];
  if (headers !== undefined) args.push(`--nodedir=${headers}`);
  run(process.execPath, args);
  writeFileSync(`${addon}.stamp`, print);
}

function buildHelper() {
  const files = sources('src/helper', ['.c', '.h']);
  const units = files.filter((file) => file.endsWith('.c'));
  if (units.length === 0) return;
  const print = fingerprint(files, process.arch);
  if (isFresh(helper, print)) return;
  checkTools();
  const [program, ...flags] = compiler.split(/\s+/);
  run(program, [
    ...flags,
    '-std=gnu11',
    '-O2',
    '-static',
    '-Wall',
    '-Wextra',
    '-o',
    `${helper}.tmp`,
    ...units,
  ]);
  // A running helper keeps its own file.
  renameSync(`${helper}.tmp`, helper);
  writeFileSync(`${helper}.stamp`, print);
}

/** One compilation at a time; a lock whose process is gone is taken over. */
async function withLock(work) {
  const lock = join(build, 'lock');
  mkdirSync(build, { recursive: true });
  for (;;) {
    try {
      const fd = openSync(lock, 'wx');
      writeFileSync(fd, String(process.pid));
      closeSync(fd);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      if (!isAlive(lock)) rmSync(lock, { force: true });
      else await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  process.on('exit', () => rmSync(lock, { force: true }));
  work();
}

function isAlive(lock) {
  try {
    const pid = Number(readFileSync(lock, 'utf8'));
    // An empty file: its owner is between creating and writing it.
    if (pid !== 0) process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

if (process.platform !== 'linux') fail('tsbuild runs on Linux only');
await withLock(() => {
  buildAddon();
  buildHelper();
});
