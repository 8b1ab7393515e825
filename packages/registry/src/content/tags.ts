/**
 * Names of images in the layout's index.json. An entry carries its full name twice: `org.opencontainers.image.ref.name`
 * (what skopeo's oci: transport looks for) and `io.containerd.image.name` (what containerd and docker import).
 *
 * A change reads, edits and renames under the lock that the caller brings; readers need no lock, they see one version or
 * the other. Entries without a name of ours (another tool's) and unknown members are kept. A crash leaves at most a
 * temporary file in ingest/.
 *
 * Beside it, index.backup.json is the same text after a line with its checksum: names are data that nothing can bring
 * back. Where index.json is not what was written last, other tools may have changed it, or it is damaged: names that
 * it lacks, and names whose image is not there, are taken from the backup.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Descriptor, hexOf, type ImageIndex, mediaTypes, TsbuildError } from '@tsbuild/core';
import type { TagStore } from '../api.js';
import { decodeIndex } from '../image/decode.js';
import { normalizeReference } from '../reference.js';
import { storeFault } from './fault.js';

export const refNameAnnotation = 'org.opencontainers.image.ref.name';
export const imageNameAnnotation = 'io.containerd.image.name';

/** Runs `work` while no one else, in this process or another, runs work of that name. */
export type Lock = <T>(name: string, work: () => Promise<T>) => Promise<T>;

export interface TagStoreOptions {
  lock: Lock;
  /** Told about damage that is made good, each time it is met until the names are next written. */
  warn?(message: string): void;
}

/** @param root folder of the OCI layout (see openContentStore) */
export function openTagStore(root: string, options: TagStoreOptions): TagStore {
  const path = join(root, 'index.json');
  const backupPath = join(root, 'index.backup.json');
  const warn = options.warn ?? (() => {});

  /** @param locked the caller has the writers' lock */
  async function load(locked: boolean): Promise<ImageIndex> {
    const [text, backup] = await Promise.all([readText(path), readText(backupPath)]);
    if (backup === undefined && text === undefined) return emptyIndex;
    if (text !== undefined && backup?.slice(0, digits) === checksum(text))
      return decodeIndex(Buffer.from(text), path);
    // A writer may be between the two files.
    if (!locked) return await options.lock('index.json', () => load(true));
    const known = fromBackup(backup, backupPath);
    let index: ImageIndex;
    try {
      index = text === undefined ? emptyIndex : decodeIndex(Buffer.from(text), path);
    } catch (error) {
      // Without any name, prune would take every image for unneeded.
      if (known === undefined) throw badIndex(path, error);
      warn(`${path} is damaged; the names of the images are taken from its copy`);
      return known;
    }
    return known === undefined ? index : await complete(index, known);
  }

  /** What another tool wrote, or damage left, and what is known to have been there. */
  async function complete(index: ImageIndex, known: ImageIndex): Promise<ImageIndex> {
    const manifests = [...index.manifests];
    for (const entry of known.manifests) {
      const name = nameOf(entry);
      const at = manifests.findIndex((one) => name !== undefined && nameOf(one) === name);
      const found = manifests[at];
      if (name === undefined || (found !== undefined && (await isThere(found)))) continue;
      if (!(await isThere(entry))) continue;
      warn(`${path} is not as it was written; the name ${name} is taken from its copy`);
      if (found === undefined) manifests.push(entry);
      else manifests[at] = entry;
    }
    return { ...index, manifests };
  }

  async function isThere({ digest, size }: Descriptor): Promise<boolean> {
    const entry = await stat(join(root, 'blobs/sha256', hexOf(digest))).catch(() => undefined);
    return entry?.isFile() === true && entry.size === size;
  }

  async function save(index: ImageIndex): Promise<void> {
    const text = JSON.stringify(index);
    // After a crash in between, the copy has what is new.
    await write(backupPath, `${checksum(text)}\n${text}`);
    await write(path, text);
  }

  async function write(destination: string, text: string): Promise<void> {
    await mkdir(join(root, 'ingest'), { recursive: true });
    const temporary = join(root, 'ingest', `index-${randomBytes(12).toString('hex')}`);
    try {
      const file = await open(temporary, 'wx');
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, destination);
    } catch (error) {
      await rm(temporary, { force: true });
      throw storeFault(error, temporary);
    }
  }

  const nameOf = (entry: Descriptor): string | undefined =>
    entry.annotations?.[imageNameAnnotation] ?? entry.annotations?.[refNameAnnotation];

  return {
    async get(name) {
      const full = normalizeReference(name);
      const entry = (await load(false)).manifests.find((one) => nameOf(one) === full);
      return entry === undefined ? undefined : withoutName(entry);
    },
    async set(name, descriptor) {
      const full = normalizeReference(name);
      await options.lock('index.json', async () => {
        const index = await load(true);
        const others = index.manifests.filter((entry) => nameOf(entry) !== full);
        const annotations = {
          ...descriptor.annotations,
          [refNameAnnotation]: full,
          [imageNameAnnotation]: full,
        };
        const manifests = [...others, { ...descriptor, annotations }].sort(byName);
        await save({ ...index, manifests });
      });
    },
    async delete(name) {
      const full = normalizeReference(name);
      return options.lock('index.json', async () => {
        const index = await load(true);
        const manifests = index.manifests.filter((entry) => nameOf(entry) !== full);
        if (manifests.length === index.manifests.length) return false;
        await save({ ...index, manifests });
        return true;
      });
    },
    async list() {
      return (await load(false)).manifests.flatMap((entry) => {
        const name = nameOf(entry);
        return name === undefined ? [] : [{ name, descriptor: withoutName(entry) }];
      });
    },
    async rewrite() {
      await options.lock('index.json', async () => save(await load(true)));
    },
  };

  function byName(a: Descriptor, b: Descriptor): number {
    const left = nameOf(a) ?? '';
    const right = nameOf(b) ?? '';
    return left < right ? -1 : left > right ? 1 : 0;
  }
}

const emptyIndex: ImageIndex = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] };

function badIndex(path: string, cause: unknown): TsbuildError {
  return new TsbuildError('TSB_STORE_BAD_INDEX', `${path} is damaged: ${(cause as Error).message}`, {
    hint: `"tsbuild fsck --repair" moves it away: the names of the images are lost, the images' contents are not. Builds and pulls write it anew.`,
    cause,
  });
}

/** Hexadecimal digits of a checksum. */
const digits = 64;

function checksum(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function fromBackup(text: string | undefined, path: string): ImageIndex | undefined {
  const body = text?.slice(digits + 1) ?? '';
  if (text?.slice(0, digits) !== checksum(body)) return undefined;
  return decodeIndex(Buffer.from(body), path);
}

function withoutName(entry: Descriptor): Descriptor {
  const { annotations, ...rest } = entry;
  const { [refNameAnnotation]: _ref, [imageNameAnnotation]: _name, ...others } = annotations ?? {};
  return Object.keys(others).length > 0 ? { ...rest, annotations: others } : rest;
}
