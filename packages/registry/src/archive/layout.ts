/** Images written as an OCI layout: a folder, a tar (type=oci), or a tar that `docker load` reads too (type=docker). */
import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hexOf, mediaTypes, type Descriptor, type ImageIndex, type Platform } from '@tsbuild/core';
import type { ByteStream, ContentStore } from '../api.js';
import { imageNameAnnotation, refNameAnnotation } from '../content/tags.js';
import { decodeIndex, decodeManifest, isIndexType } from '../image/decode.js';
import { collectBlobs } from '../image/blobs.js';
import { chooseManifest } from '../image/platform.js';
import { familiarReference, formatReference, parseReference, withDefaultTag } from '../reference.js';
import { writeTar, type TarFile } from './tar-write.js';

/** An image to write: what its name points at, and its names in any form; none is allowed. */
export interface NamedImage {
  descriptor: Descriptor;
  names: readonly string[];
}

const layoutFile = Buffer.from('{"imageLayoutVersion":"1.0.0"}');

/** One entry per name, as BuildKit writes them: the tag for other OCI tools, the full name for containerd and docker. */
function layoutIndex(images: readonly NamedImage[]): Buffer {
  const manifests = images.flatMap(({ descriptor, names }) => {
    if (names.length === 0) return [descriptor];
    return names.map((name) => {
      const reference = withDefaultTag(parseReference(name));
      const annotations = {
        ...descriptor.annotations,
        [imageNameAnnotation]: formatReference(reference),
        [refNameAnnotation]: reference.tag ?? formatReference(reference),
      };
      return { ...descriptor, annotations };
    });
  });
  const index: ImageIndex = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
  return Buffer.from(JSON.stringify(index));
}

const file = (path: string, body: Uint8Array): TarFile => ({ path, type: 'File', size: body.length, body });

function* blobFiles(store: ContentStore, blobs: readonly Descriptor[]): Iterable<TarFile> {
  yield { path: 'blobs', type: 'Directory', size: 0 };
  yield { path: 'blobs/sha256', type: 'Directory', size: 0 };
  for (const blob of blobs) {
    yield {
      path: `blobs/sha256/${hexOf(blob.digest)}`,
      type: 'File',
      size: blob.size,
      body: store.open(blob),
    };
  }
}

/** A tar of an OCI layout. */
export async function* ociArchive(store: ContentStore, images: readonly NamedImage[]): ByteStream {
  const blobs = await collectBlobs(
    store,
    images.map(({ descriptor }) => descriptor),
  );
  yield* writeTar([
    ...blobFiles(store, blobs),
    file('index.json', layoutIndex(images)),
    file('oci-layout', layoutFile),
  ]);
}

/**
 * A tar as `docker save` writes it since version 25: an OCI layout with docker's manifest.json beside it. That file
 * holds one platform: of an index, the one that serves `platform` best.
 */
export async function* dockerArchive(
  store: ContentStore,
  images: readonly NamedImage[],
  platform: Platform,
): ByteStream {
  const blobs = await collectBlobs(
    store,
    images.map(({ descriptor }) => descriptor),
  );
  const entries = [];
  for (const { descriptor, names } of images) {
    let at = descriptor;
    while (isIndexType(at.mediaType)) {
      at = chooseManifest(
        decodeIndex(await store.read(at), `index ${at.digest}`),
        platform,
        names[0] ?? at.digest,
      );
    }
    const manifest = decodeManifest(await store.read(at), `manifest ${at.digest}`);
    const tags = names.flatMap((name) => {
      const { digest: _digest, ...reference } = withDefaultTag(parseReference(name));
      // docker load knows names with tags only.
      return reference.tag === undefined ? [] : [familiarReference(reference)];
    });
    const path = (blob: Descriptor) => `blobs/sha256/${hexOf(blob.digest)}`;
    entries.push({
      Config: path(manifest.config),
      RepoTags: tags.length === 0 ? null : tags,
      Layers: manifest.layers.map(path),
    });
  }
  yield* writeTar([
    ...blobFiles(store, blobs),
    file('index.json', layoutIndex(images)),
    file('manifest.json', Buffer.from(JSON.stringify(entries))),
    file('oci-layout', layoutFile),
  ]);
}

/**
 * Writes an OCI layout into a folder. Blobs first, index.json last by rename: a reader sees the old images or the new
 * ones. What the folder's index named before is replaced; its blobs stay.
 */
export async function writeLayout(
  store: ContentStore,
  images: readonly NamedImage[],
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const blobs = await collectBlobs(
    store,
    images.map(({ descriptor }) => descriptor),
  );
  await mkdir(join(folder, 'blobs/sha256'), { recursive: true });
  for (const blob of blobs) {
    signal.throwIfAborted();
    await writeAtomically(join(folder, 'blobs/sha256', hexOf(blob.digest)), store.open(blob), signal);
  }
  await writeFile(join(folder, 'oci-layout'), layoutFile);
  await writeAtomically(join(folder, 'index.json'), [layoutIndex(images)], signal);
}

async function writeAtomically(
  path: string,
  body: AsyncIterable<Uint8Array> | Uint8Array[],
  signal: AbortSignal,
): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    const handle = await open(temporary, 'wx');
    try {
      for await (const chunk of body) {
        signal.throwIfAborted();
        await handle.writeFile(chunk);
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
