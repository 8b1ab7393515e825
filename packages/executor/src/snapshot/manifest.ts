/**
 * What a snapshot holds, in one digest, written beside it once it is published: names, types, modes, owners, sizes, times,
 * link texts, device numbers and attributes of all files, not their data. So that it can be told later whether
 * something was removed, cut short or changed by a program.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import * as native from '@tsbuild/native';
import { FieldHash } from '../content/encode.js';

export const manifestName = 'manifest.json';

interface Manifest {
  version: 1;
  /** Number of files below the root. */
  files: number;
  digest: string;
}

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, S_IFMT, S_IFREG, S_IFCHR, S_IFBLK } = native.constants;

/** @param folder of the snapshot */
export async function digestManifest(folder: string, signal?: AbortSignal): Promise<Manifest> {
  const fd = native.openat2(native.AT_FDCWD, `${folder}/fs`, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, 0);
  try {
    const hash = new FieldHash();
    const root = native.stat(fd, '');
    hash.number(root.mode).number(root.uid).number(root.gid).number(root.mtimeNs);
    const entries = await native.walk(fd, '', { xattrs: true }, signal);
    for (const entry of entries) {
      const type = entry.mode & S_IFMT;
      hash.bytes(entry.path).number(entry.mode).number(entry.uid).number(entry.gid).number(entry.mtimeNs);
      if (type === S_IFREG) hash.number(entry.size);
      if (type === S_IFCHR || type === S_IFBLK) hash.number(entry.rdevMajor).number(entry.rdevMinor);
      hash.bytes(entry.link ?? Buffer.alloc(0)).number(entry.xattrs?.length ?? 0);
      for (const { name, value } of entry.xattrs ?? []) hash.text(name, 'latin1').bytes(value);
    }
    return { version: 1, files: entries.length, digest: hash.digest() };
  } finally {
    native.close(fd);
  }
}

/** Without it a snapshot is as good, only not as well checked: a failure is passed over. */
export async function writeManifest(folder: string): Promise<void> {
  const path = `${folder}/${manifestName}`;
  const temporary = `${path}.${process.pid}`;
  try {
    writeFileSync(temporary, JSON.stringify(await digestManifest(folder)));
    renameSync(temporary, path);
  } catch {
    try {
      rmSync(temporary, { force: true });
    } catch {
      // The whole snapshot may be gone.
    }
  }
}

/** Undefined where there is none; `damaged` where it cannot be read. */
export function readManifest(folder: string): Manifest | 'damaged' | undefined {
  try {
    const manifest = JSON.parse(readFileSync(`${folder}/${manifestName}`, 'utf8')) as Manifest;
    return manifest.version === 1 && typeof manifest.digest === 'string' ? manifest : 'damaged';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : 'damaged';
  }
}
