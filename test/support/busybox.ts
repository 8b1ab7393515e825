/** A base image of one static busybox with its links: small, and quick to make. */
import { copyFileSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { succeed, type Tsbuild } from './command.js';

/** Imports the image into the store. @returns its name */
export async function busyboxImage(tsbuild: Tsbuild, work: string, name = 'busybox:test'): Promise<string> {
  const root = join(work, 'busybox');
  for (const folder of ['bin', 'etc', 'tmp', 'root', 'proc', 'sys', 'dev']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  const applets = await succeed('/bin/busybox', ['--list']);
  for (const applet of applets.stdout
    .trim()
    .split('\n')
    .filter((word) => word !== 'busybox')) {
    symlinkSync('busybox', join(root, 'bin', applet));
  }
  const tar = join(work, 'busybox.tar');
  await succeed('tar', ['--numeric-owner', '--owner=0', '--group=0', '-C', root, '-cf', tar, '.']);
  await tsbuild.ok(['import', '--change', 'CMD ["sh"]', tar, name]);
  return name;
}
