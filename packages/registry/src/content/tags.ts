/**
 * Names of images in the layout's index.json. An entry carries its full name twice: `org.opencontainers.image.ref.name`
 * (what skopeo's oci: transport looks for) and `io.containerd.image.name` (what containerd and docker import).
 *
 * A change reads, edits and renames under the lock that the caller brings; readers need no lock, they see one version or
 * the other. Entries without a name of ours (another tool's) and unknown members are kept. A crash leaves at most a
 * temporary file in ingest/.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { mediaTypes, TsbuildError, type Descriptor, type ImageIndex } from '@tsbuild/core';
import type { TagStore } from '../api.js';
import { decodeIndex } from '../image/decode.js';
import { normalizeReference } from '../reference.js';

export const refNameAnnotation = 'org.opencontainers.image.ref.name';
export const imageNameAnnotation = 'io.containerd.image.name';

/** Runs `work` while no one else, in this process or another, runs work of that name. */
export type Lock = <T>(name: string, work: () => Promise<T>) => Promise<T>;

/** @param root folder of the OCI layout (see openContentStore) */
export function openTagStore(root: string, options: { lock: Lock }): TagStore {
  const path = join(root, 'index.json');

  async function load(): Promise<ImageIndex> {
    let bytes: Buffer;
    try {
      bytes = await readFile(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] };
    }
    try {
      return decodeIndex(bytes, path);
    } catch (error) {
      throw new TsbuildError('TSB_STORE_BAD_INDEX', `${path} is damaged: ${(error as Error).message}`, {
        hint: `Move the file away: the names of the images are lost, the images' contents are not. Builds and pulls write it anew.`,
        cause: error,
      });
    }
  }

  async function save(index: ImageIndex): Promise<void> {
    await mkdir(join(root, 'ingest'), { recursive: true });
    const temporary = join(root, 'ingest', `index-${randomBytes(12).toString('hex')}`);
    try {
      const file = await open(temporary, 'wx');
      try {
        await file.writeFile(JSON.stringify(index));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  const nameOf = (entry: Descriptor): string | undefined =>
    entry.annotations?.[imageNameAnnotation] ?? entry.annotations?.[refNameAnnotation];

  return {
    async get(name) {
      const full = normalizeReference(name);
      const entry = (await load()).manifests.find((one) => nameOf(one) === full);
      return entry === undefined ? undefined : withoutName(entry);
    },
    async set(name, descriptor) {
      const full = normalizeReference(name);
      await options.lock('index.json', async () => {
        const index = await load();
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
        const index = await load();
        const manifests = index.manifests.filter((entry) => nameOf(entry) !== full);
        if (manifests.length === index.manifests.length) return false;
        await save({ ...index, manifests });
        return true;
      });
    },
    async list() {
      return (await load()).manifests.flatMap((entry) => {
        const name = nameOf(entry);
        return name === undefined ? [] : [{ name, descriptor: withoutName(entry) }];
      });
    },
  };

  function byName(a: Descriptor, b: Descriptor): number {
    const left = nameOf(a) ?? '';
    const right = nameOf(b) ?? '';
    return left < right ? -1 : left > right ? 1 : 0;
  }
}

function withoutName(entry: Descriptor): Descriptor {
  const { annotations, ...rest } = entry;
  const { [refNameAnnotation]: _ref, [imageNameAnnotation]: _name, ...others } = annotations ?? {};
  return Object.keys(others).length > 0 ? { ...rest, annotations: others } : rest;
}
