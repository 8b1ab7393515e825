/** Blobs by their digests, and images by the blobs they need. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { type Descriptor, type Digest, hexOf, isDigest } from '@tsbuild/core';
import { AT_FDCWD, close, constants, hashFiles, openat2 } from '@tsbuild/native';
import { decodeIndex, decodeManifest, isIndexType } from '@tsbuild/registry';
import type { Examination } from './finding.js';
import { namesIn } from './index-files.js';

const made = 'what needs it fetches or makes it again; an image that has only this copy of it cannot be used';

/** Reads every blob. */
export async function checkBlobs({ store, signal, checked, fault }: Examination): Promise<void> {
  const folder = join(store.root, 'oci/blobs/sha256');
  const names: string[] = [];
  for (const name of namesIn(folder)) {
    const path = join(folder, name);
    const stat = fs.lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    if (stat.isFile() && isDigest(`sha256:${name}`)) {
      names.push(name);
      checked.blobs++;
      checked.blobBytes += stat.size;
    } else {
      fault(path, 'this is no blob', 'nothing uses it', {
        repair: () => fs.rmSync(path, { recursive: true }),
      });
    }
  }
  const { O_RDONLY, O_DIRECTORY } = constants;
  const fd = openat2(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY, 0, 0);
  try {
    // One batch for all of them would stop at the first that went away.
    for (let from = 0; from < names.length; from += 64) {
      const batch = names.slice(from, from + 64);
      const digests = await hashFiles(fd, batch, signal).catch(() => undefined);
      for (const [at, name] of batch.entries()) {
        const path = join(folder, name);
        const digest = digests?.toString('hex', at * 32, at * 32 + 32) ?? (await digestOf(fd, name, signal));
        if (digest === name || digest === undefined) continue;
        const repair = () => store.content.remove(`sha256:${name}` as Digest);
        fault(path, `its content is sha256:${digest}`, made, { repair });
      }
    }
  } finally {
    close(fd);
  }
}

async function digestOf(fd: number, name: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    return (await hashFiles(fd, [name], signal)).toString('hex');
  } catch (error) {
    signal.throwIfAborted();
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? undefined : message;
  }
}

/** An image that lacks a blob, or whose blob is damaged, cannot be run, saved or pushed. */
export async function checkImages(examination: Examination): Promise<void> {
  const { store, checked, fault } = examination;
  const path = join(store.root, 'oci/index.json');
  for (const { name, descriptor } of await store.tags.list()) {
    checked.images++;
    const lacking = await lackingBlobs(examination, descriptor);
    if (lacking.length === 0) continue;
    fault(path, `the image ${name} is not whole: ${lacking.join(', ')}`, 'build or pull it again', {
      repair: async () => {
        await store.tags.delete(name);
      },
      anyway: true,
    });
  }
}

/** What an image lacks. Of an index, one platform has to be whole: the others may never have been fetched. */
async function lackingBlobs(examination: Examination, descriptor: Descriptor): Promise<string[]> {
  const { store, broken } = examination;
  const wrong = ({ digest, size }: Descriptor): string | undefined => {
    const file = join(store.root, 'oci/blobs/sha256', hexOf(digest));
    if (broken.has(file)) return `${digest} is damaged`;
    const found = fs.lstatSync(file, { throwIfNoEntry: false });
    return found?.size === size
      ? undefined
      : `${digest} is ${found === undefined ? 'gone' : 'of another size'}`;
  };
  const own = wrong(descriptor);
  if (own !== undefined) return [own];
  const bytes = await store.content.read(descriptor);
  if (!isIndexType(descriptor.mediaType)) {
    const { config, layers } = decodeManifest(bytes, descriptor.digest);
    return [config, ...layers].flatMap((blob) => wrong(blob) ?? []);
  }
  const platforms: string[][] = [];
  for (const child of decodeIndex(bytes, descriptor.digest).manifests) {
    if (child.platform?.os === 'unknown') continue;
    platforms.push(await lackingBlobs(examination, child));
  }
  return platforms.find((lacking) => lacking.length === 0) ?? platforms[0] ?? [];
}
