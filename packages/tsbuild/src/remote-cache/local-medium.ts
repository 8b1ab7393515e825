/** A cache in a folder, an OCI image layout as BuildKit's type=local writes it. */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Descriptor, type Digest, hexOf, mediaTypes, TsbuildError } from '@tsbuild/core';
import { decodeIndex, verifyBytes } from '@tsbuild/registry';
import { configLimit, readCacheManifest, unusable, writeCacheManifest } from './manifest.js';
import { readFileStream } from '../store/read-stream.js';
import type { CacheMedium } from './medium.js';
import { once } from './registry-medium.js';

export interface LocalMediumOptions {
  folder: string;
  /** The cache's name in the folder's index. Default `latest`. */
  tag?: string;
  /** Reads this manifest, whatever the index names. */
  digest?: Digest;
  form: 'image' | 'index';
  /** After publishing, removes the blobs that no manifest in the folder names. */
  reset?: boolean;
}

const refName = 'org.opencontainers.image.ref.name';
const layoutFile = '{"imageLayoutVersion":"1.0.0"}';

export function localMedium(options: LocalMediumOptions): CacheMedium {
  const folder = resolve(options.folder);
  const tag = options.tag ?? 'latest';
  const name = `type=local,src=${folder}${options.tag === undefined ? '' : `,tag=${tag}`}`;
  const pathOf = (digest: Digest) => join(folder, 'blobs/sha256', hexOf(digest));

  const readIndex = async () => {
    const bytes = await readFile(join(folder, 'index.json')).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    return bytes === undefined ? undefined : decodeIndex(bytes, join(folder, 'index.json'));
  };

  const readBlob = async (blob: Descriptor) => {
    if (blob.size > configLimit) throw unusable(name, 'a document is too large');
    const bytes = await readFile(pathOf(blob.digest));
    verifyBytes(bytes, blob, `blob ${blob.digest} of ${folder}`);
    return bytes;
  };

  const write = async (digest: Digest, body: AsyncIterable<Uint8Array>, signal: AbortSignal) => {
    await mkdir(join(folder, 'blobs/sha256'), { recursive: true });
    await writeWhole(pathOf(digest), body, signal);
  };

  return {
    name,
    async load() {
      const index = await readIndex();
      if (index === undefined) return undefined;
      const wanted = options.digest;
      const root =
        wanted === undefined
          ? index.manifests.find(({ annotations }) => annotations?.[refName] === tag)
          : await describe(pathOf(wanted), wanted, index.manifests);
      if (root === undefined) return undefined;
      const cache = readCacheManifest(root, await readBlob(root), name);
      if (cache === undefined) throw unusable(name, 'what it names is an image');
      return { config: await readBlob(cache.config), blobs: cache.blobs, annotations: cache.annotations };
    },
    async open(blob) {
      return readFileStream(pathOf(blob.digest));
    },
    async put(blob, source, { signal }) {
      const there = await stat(pathOf(blob.digest)).catch(() => undefined);
      if (there?.size === blob.size) return 'exists';
      await write(blob.digest, source(), signal);
      return 'uploaded';
    },
    async publish(document, { signal }) {
      const { config, manifest, bytes } = writeCacheManifest(document, options.form);
      await write(config.digest, once(document.config), signal);
      await write(manifest.digest, once(bytes), signal);
      await writeFile(join(folder, 'oci-layout'), layoutFile);
      const others = (await readIndex())?.manifests.filter(
        ({ annotations }) => annotations?.[refName] !== tag,
      );
      const manifests = [...(others ?? []), { ...manifest, annotations: { [refName]: tag } }];
      const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
      await writeWhole(join(folder, 'index.json'), once(Buffer.from(JSON.stringify(index))), signal);
      if (options.reset === true) await removeUnnamed(folder, manifests, readBlob);
    },
  };
}

/** A manifest that the index may not list any more. */
async function describe(
  path: string,
  digest: Digest,
  listed: readonly Descriptor[],
): Promise<Descriptor | undefined> {
  const known = listed.find((entry) => entry.digest === digest);
  if (known !== undefined) return known;
  const bytes = await readFile(path).catch(() => undefined);
  if (bytes === undefined) return undefined;
  const { mediaType = mediaTypes.ociManifest } = JSON.parse(bytes.toString('utf8')) as { mediaType?: string };
  return { mediaType, digest, size: bytes.length };
}

async function removeUnnamed(
  folder: string,
  manifests: readonly Descriptor[],
  readBlob: (blob: Descriptor) => Promise<Buffer>,
): Promise<void> {
  const named = new Set<string>();
  for (const entry of manifests) {
    named.add(hexOf(entry.digest));
    const {
      config,
      layers,
      manifests: children,
    } = JSON.parse((await readBlob(entry)).toString('utf8')) as {
      config?: Descriptor;
      layers?: Descriptor[];
      manifests?: Descriptor[];
    };
    for (const blob of [config ?? [], layers ?? [], children ?? []].flat()) named.add(hexOf(blob.digest));
  }
  const blobs = join(folder, 'blobs/sha256');
  for (const file of await readdir(blobs)) if (!named.has(file)) await rm(join(blobs, file), { force: true });
}

/** Appears by rename, whole. */
async function writeWhole(path: string, body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const handle = await open(temporary, 'wx');
    try {
      for await (const chunk of body) {
        signal.throwIfAborted();
        await handle.writeFile(chunk);
      }
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined || TsbuildError.is(error)) throw error;
    throw new TsbuildError('TSB_CACHE_WRITE', `cannot write the cache's ${path}: ${message}`, {
      hint: 'Name a folder on a local disk with space: --cache-to type=local,dest=FOLDER.',
      cause: error,
    });
  }
}
