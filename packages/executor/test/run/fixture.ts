/** A busybox root file system in a temporary folder, and steps run on it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { helperPath } from '@tsbuild/native';
import { runInSandbox, type SandboxResult } from '../../src/run/sandbox.js';
import type { SandboxSpec } from '../../src/run/spec.js';

const busybox = '/bin/busybox';
const applets = [
  'cat',
  'chmod',
  'chown',
  'cp',
  'df',
  'echo',
  'env',
  'find',
  'grep',
  'head',
  'hostname',
  'id',
  'ip',
  'ls',
  'mkdir',
  'mknod',
  'mount',
  'mv',
  'ping',
  'ps',
  'pwd',
  'readlink',
  'rm',
  'rmdir',
  'sed',
  'setsid',
  'sh',
  'sleep',
  'sort',
  'stat',
  'stty',
  'su',
  'tail',
  'test',
  'touch',
  'tr',
  'true',
  'tty',
  'umount',
  'unshare',
  'wc',
  'yes',
];

/** Why steps cannot run here, or false; for the `skip` option of tests. */
export function cannotRun(): string | false {
  if (!existsSync(busybox)) return 'busybox-static is not installed';
  if (!existsSync(helperPath)) return 'the native parts are not built';
  if (process.getuid?.() !== 0) return 'needs root, or a process started by tsbuild-helper launch';
  const probe = spawnSync(helperPath, ['probe'], { encoding: 'utf8' });
  const overlay = process.env['TSBUILD_USERNS'] === '1' ? /^overlay.userns=yes$/m : /^overlay=yes$/m;
  return overlay.test(probe.stdout) ? false : 'no overlay file system here';
}

export const inUserns = process.env['TSBUILD_USERNS'] === '1';

export interface Fixture {
  /** Folder of this test. */
  folder: string;
  /** The lower directory: busybox with passwd and group. */
  base: string;
  upper: string;
  work: string;
  spec(command: string, changes?: Partial<SandboxSpec>): SandboxSpec;
  run(command: string, changes?: Partial<SandboxSpec>): Promise<Ran>;
  remove(): void;
}

export interface Ran extends SandboxResult {
  stdout: string;
  stderr: string;
}

export function makeFixture(): Fixture {
  const folder = mkdtempSync(join(tmpdir(), 'tsbuild-run-'));
  const [base, upper, work] = ['base', 'upper', 'work'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  for (const path of [
    base,
    upper,
    work,
    ...['bin', 'dev', 'etc', 'proc', 'root', 'sys', 'tmp'].map((name) => join(base, name)),
  ]) {
    mkdirSync(path);
  }
  copyFileSync(busybox, join(base, 'bin/busybox'));
  for (const applet of applets) symlinkSync('busybox', join(base, 'bin', applet));
  writeFileSync(
    join(base, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nbob:x:1000:1001:Bob:/home/bob:/bin/sh\n',
  );
  writeFileSync(join(base, 'etc/group'), 'root:x:0:\nwheel:x:10:root,bob\nstaff:x:1001:\n');
  const spec = (command: string, changes: Partial<SandboxSpec> = {}): SandboxSpec => ({
    args: ['/bin/sh', '-c', command],
    env: [['PATH', '/bin']],
    cwd: '/',
    uid: 0,
    gid: 0,
    groups: [0],
    hostname: 'buildkitsandbox',
    root: { lower: [base], upper, work },
    network: 'host',
    mounts: [],
    ...changes,
  });
  return {
    folder,
    base,
    upper,
    work,
    spec,
    run: (command, changes) => run(spec(command, changes)),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export async function run(spec: SandboxSpec, signal = AbortSignal.timeout(60_000)): Promise<Ran> {
  const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const result = await runInSandbox(spec, {
    signal,
    onOutput: (stream, chunk) => chunks[stream].push(chunk),
  });
  return {
    ...result,
    stdout: Buffer.concat(chunks.stdout).toString(),
    stderr: Buffer.concat(chunks.stderr).toString(),
  };
}

/** Compiles native/test/helper/NAME.c into the fixture's root; undefined where there is no compiler. */
export function compileProbe(name: string, fixture: Fixture): boolean {
  const source = fileURLToPath(new URL(`../../../../../native/test/helper/${name}.c`, import.meta.url));
  const made = spawnSync('cc', ['-O1', '-static', '-o', join(fixture.base, 'bin', name), source]);
  return made.status === 0;
}

/** Waits for what comes soon, on a busy machine too. */
export async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 20_000; !condition(); ) {
    assert.ok(Date.now() < end, 'waited twenty seconds');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
