/** An unprivileged user for the tests when they run as root, and a copy of the built program it can read. */
import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { must, output, repo } from './run.mjs';

const name = 'tsbuild-test';

/** Creates the user with a subordinate id range where it is missing. @returns its ids and home */
export async function ensureUser() {
  if (!output('getent', ['passwd', name])) {
    await must('useradd', ['--create-home', '--shell', '/bin/sh', name]);
  }
  for (const [file, flag] of [
    ['/etc/subuid', '--add-subuids'],
    ['/etc/subgid', '--add-subgids'],
  ]) {
    const taken = readFileSync(file, 'utf8');
    if (!taken.split('\n').some((line) => line.startsWith(`${name}:`))) {
      const ends = taken.split('\n').map((line) => line.split(':').slice(1).map(Number));
      const first = Math.max(
        100000,
        ...ends.filter(([start]) => start > 0).map(([start, count]) => start + count),
      );
      await must('usermod', [flag, `${first}-${first + 65535}`, name]);
    }
  }
  const [, , uid, gid, , home] = output('getent', ['passwd', name]).split(':');
  return { name, uid: Number(uid), gid: Number(gid), home };
}

/** Files that the installed program consists of, as `npm pack` would ship them. */
const shipped = [
  'native/build/tsbuild-helper',
  'native/build/Release',
  'native/index.js',
  'native/package.json',
  'packages/tsbuild/bin',
  'packages/tsbuild/dist/bundle',
  'packages/tsbuild/package.json',
];

/** Copies the built program to a folder that everybody can read. @returns path of its `tsbuild` command */
export function installTree(destination) {
  rmSync(destination, { recursive: true, force: true });
  for (const path of shipped) {
    mkdirSync(join(destination, path, '..'), { recursive: true });
    cpSync(join(repo, path), join(destination, path), { recursive: true });
  }
  mkdirSync(join(destination, 'node_modules/@tsbuild'), { recursive: true });
  cpSync(join(destination, 'native'), join(destination, 'node_modules/@tsbuild/native'), { recursive: true });
  chmodSync(destination, 0o755);
  return join(destination, 'packages/tsbuild/bin/tsbuild');
}

/** Command line that runs a command as the user, with its own HOME and nothing of root's environment but PATH. */
export function asUser(user, env, command) {
  const settings = Object.entries({ HOME: user.home, USER: user.name, PATH: process.env.PATH, ...env });
  return [
    'setpriv',
    [
      `--reuid=${user.uid}`,
      `--regid=${user.gid}`,
      '--init-groups',
      'env',
      '-i',
      ...settings.map(([key, value]) => `${key}=${value}`),
      ...command,
    ],
  ];
}
