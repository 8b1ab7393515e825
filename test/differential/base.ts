/** The base images of the cases: one static busybox and a few files that COPY, WORKDIR and RUN meet. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Tsbuild } from '../support/command.js';
import { packTar, type TarEntry } from '../support/tar.js';

const passwd = [
  'root:x:0:0:root:/root:/bin/sh',
  'daemon:x:1:1:daemon:/usr/sbin:/bin/false',
  'anna:x:1000:1001:Anna:/home/anna:/bin/sh',
  'bert:x:1002:1002::/nonexistent:/bin/sh',
  '7000:x:7001:7002:a name of digits:/:/bin/sh',
  '',
];
const group = [
  'root:x:0:',
  'daemon:x:1:',
  'anna:x:1001:',
  'bert:x:1002:',
  'staff:x:50:anna,root',
  'audio:x:29:anna',
  '',
];

const folder = (name: string, rest: Partial<TarEntry> = {}): TarEntry => ({ name, type: '5', ...rest });
const link = (name: string, target: string): TarEntry => ({ name, type: '2', mode: 0o777, link: target });

/** What the base has, apart from busybox' links. */
const entries: TarEntry[] = [
  folder('bin/'),
  folder('dev/'),
  folder('etc/'),
  { name: 'etc/group', data: group.join('\n') },
  { name: 'etc/passwd', data: passwd.join('\n') },
  folder('home/'),
  folder('home/anna/', { uid: 1000, gid: 1001, mode: 0o700 }),
  folder('proc/'),
  folder('root/', { mode: 0o700 }),
  folder('sys/'),
  folder('tmp/', { mode: 0o1777 }),
  folder('x/'),
  folder('x/dir/', { mode: 0o750, uid: 1000, gid: 50 }),
  { name: 'x/dir/old', data: 'old\n', mode: 0o600, uid: 1000, gid: 50 },
  folder('x/dir/sub/', { mode: 0o711, uid: 2, gid: 3 }),
  { name: 'x/dir/sub/deep', data: 'deep\n' },
  { name: 'x/file', data: 'file\n', mode: 0o640, uid: 1002, gid: 1002 },
  { name: 'x/hard', type: '1', link: 'x/file', mode: 0o640, uid: 1002, gid: 1002 },
  link('x/to-dir', 'dir'),
  link('x/to-file', 'file'),
  link('x/abs-dir', '/x/dir'),
  link('x/nowhere', '/x/not/there'),
  link('x/up', '../../../../x/dir'),
  link('x/loop', 'loop'),
  { name: 'x/setuid', data: '#!/bin/sh\n', mode: 0o4755 },
  folder('x/sticky/', { mode: 0o3777 }),
];

/** @returns the archive's path */
export function makeBase(work: string): string {
  const applets = execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n');
  const tar = packTar([
    ...entries,
    { name: 'bin/busybox', data: readFileSync('/bin/busybox'), mode: 0o755 },
    ...applets.filter((name) => name !== 'busybox').map((name) => link(`bin/${name}`, 'busybox')),
  ]);
  const file = join(work, 'base.tar');
  writeFileSync(file, tar);
  return file;
}

/** Settings of the base's config that later instructions inherit or replace. */
const settings = ['CMD ["sh"]', 'ENV PATH=/bin INHERITED=yes', 'LABEL base=1 shared=base'];
const triggers = [
  'ONBUILD ENV TRIGGERED=$INHERITED',
  'ONBUILD COPY trigger /trigger/',
  'ONBUILD RUN echo triggered > /ran',
];

/** Imports both images. */
export async function importBases(
  tsbuild: Tsbuild,
  work: string,
  names: { base: string; onbuild: string },
): Promise<void> {
  const tar = makeBase(work);
  const change = (list: string[]) => list.flatMap((text) => ['--change', text]);
  await tsbuild.ok(['import', ...change(settings), tar, names.base]);
  await tsbuild.ok(['import', ...change([...settings, ...triggers]), tar, names.onbuild]);
}
