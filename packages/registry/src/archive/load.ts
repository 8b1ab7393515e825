/**
 * Archives and layouts into a content store: OCI layouts as folder or tar, `docker save` of old (a folder per layer) and
 * new style. A tar is read once, front to back, so it may come from a pipe.
 */
import { open as openFile, readFile, stat } from 'node:fs/promises';
import { join, posix } from 'node:path';
import {
  hexOf,
  mediaTypes,
  TsbuildError,
  type Descriptor,
  type Digest,
  type ImageManifest,
} from '@tsbuild/core';
import type { ByteStream, ContentStore } from '../api.js';
import { decompress } from '../compress/decompress.js';
import { measure } from '../compress/measure.js';
import { peek, sniff } from '../compress/sniff.js';
import { readOpenFile } from '../content/disk.js';
import { imageNameAnnotation, refNameAnnotation } from '../content/tags.js';
import { collect, verifyBytes } from '../content/verify.js';
import { collectBlobs } from '../image/blobs.js';
import { decodeConfig, decodeIndex, isIndexType, isManifestType } from '../image/decode.js';
import { normalizeReference } from '../reference.js';
import type { NamedImage } from './layout.js';
import { readTar } from './tar-read.js';

type StoredFile = Pick<Descriptor, 'digest' | 'size'>;

/** What an archive holds: its blobs are in the store, its two directories of images in memory. */
interface Contents {
  files: Map<string, StoredFile>;
  /** Links among files, by path: docker wrote equal layers once. */
  links: Map<string, string>;
  documents: Map<string, Buffer>;
}

const documentLimit = 8 << 20;
/** Old files that nothing needs today. */
const ignored = /^(repositories|oci-layout|[0-9a-f]{64}\/(VERSION|json))$/;

function broken(why: string): TsbuildError {
  return new TsbuildError('TSB_INTEGRITY_BAD_ARCHIVE', `not an archive of images: ${why}`, {
    hint: 'Expected is what `docker save`, `podman save` or `skopeo copy … oci-archive:` write. A plain root file system is read by `tsbuild import`.',
  });
}

/**
 * Reads an archive (plain, gzip or zstd) into the store. When it fails, blobs that were read stay as garbage: another
 * process may have found them there already.
 * @returns the images with their full names, for the caller to tag
 * @throws TsbuildError TSB_INTEGRITY_*
 */
export async function loadArchive(
  source: ByteStream,
  store: ContentStore,
  signal: AbortSignal,
): Promise<NamedImage[]> {
  const contents: Contents = { files: new Map(), links: new Map(), documents: new Map() };
  for await (const { path, type, target, body } of readTar(decompress(source))) {
    signal.throwIfAborted();
    if (type === 'link') contents.links.set(path, posix.join(posix.dirname(path), target ?? ''));
    else if (path === 'manifest.json' || path === 'index.json') {
      contents.documents.set(path, await collect(body, documentLimit, path));
    } else if (!ignored.test(path)) {
      const hex = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(path)?.[1];
      const expected = hex === undefined ? {} : { digest: `sha256:${hex}` as Digest };
      contents.files.set(path, await store.put(body, expected, signal));
    }
  }
  const images = await findImages(store, contents);
  const blobs = await collectBlobs(
    store,
    images.map(({ descriptor }) => descriptor),
    { partial: true },
  );
  for (const { digest, size } of blobs) {
    if ((await store.has(digest)) !== size) throw broken(`blob ${digest} is missing or cut short`);
  }
  return images;
}

async function findImages(store: ContentStore, contents: Contents): Promise<NamedImage[]> {
  const index = contents.documents.get('index.json');
  if (index !== undefined) return fromEntries(decodeIndex(index, 'index.json').manifests);
  const manifest = contents.documents.get('manifest.json');
  if (manifest === undefined) throw broken('it has neither manifest.json nor index.json');
  return fromDockerManifest(store, manifest, (path) => {
    let at = posix.normalize(path);
    for (let hops = 0; hops < 8; hops += 1) {
      const file = contents.files.get(at);
      if (file !== undefined) return file;
      at = contents.links.get(at) ?? at;
    }
    return undefined;
  });
}

/** Entries of a layout's index, those of one digest together. */
function fromEntries(manifests: readonly Descriptor[]): NamedImage[] {
  const images = new Map<Digest, { descriptor: Descriptor; names: string[] }>();
  for (const { annotations, ...entry } of manifests) {
    if (!isIndexType(entry.mediaType) && !isManifestType(entry.mediaType)) continue;
    const image = images.get(entry.digest) ?? { descriptor: entry, names: [] as string[] };
    images.set(entry.digest, image);
    const name = nameOf(annotations ?? {});
    if (name !== undefined && !image.names.includes(name)) image.names.push(name);
  }
  if (images.size === 0) throw broken('its index names no image');
  return [...images.values()];
}

/** containerd's annotation holds a whole name; the spec's own often only a tag, which names nothing. */
function nameOf(annotations: Record<string, string>): string | undefined {
  const full = annotations[imageNameAnnotation];
  const reference = full ?? annotations[refNameAnnotation];
  if (reference === undefined || (full === undefined && !/[/:]/.test(reference))) return undefined;
  try {
    return normalizeReference(reference);
  } catch {
    return undefined;
  }
}

/** docker's image/tarexport format: manifest.json lists config, layers and names. */
async function fromDockerManifest(
  store: ContentStore,
  bytes: Buffer,
  find: (path: string) => StoredFile | undefined,
): Promise<NamedImage[]> {
  let entries: unknown;
  try {
    entries = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw broken('manifest.json is not JSON');
  }
  if (!Array.isArray(entries)) throw broken('manifest.json is not a list');
  const images: NamedImage[] = [];
  for (const entry of entries as Record<string, unknown>[]) {
    const { Config: configPath, Layers: layerPaths, RepoTags: tags } = entry ?? {};
    if (typeof configPath !== 'string' || !Array.isArray(layerPaths))
      throw broken('manifest.json lacks Config or Layers');
    const config = find(configPath);
    if (config === undefined) throw broken(`${configPath} is missing`);
    const diffIds = decodeConfig(await store.read(config), configPath).rootfs.diff_ids;
    if (diffIds.length !== layerPaths.length) {
      throw broken(`${configPath} has ${diffIds.length} layers, manifest.json ${layerPaths.length}`);
    }
    const layers: Descriptor[] = [];
    for (const [index, path] of layerPaths.entries()) {
      const layer = typeof path === 'string' ? find(path) : undefined;
      if (layer === undefined) throw broken(`layer ${JSON.stringify(path)} is missing`);
      layers.push(await describeLayer(store, layer, diffIds[index] as Digest));
    }
    const manifest: ImageManifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: mediaTypes.ociConfig, digest: config.digest, size: config.size },
      layers,
    };
    const stored = await store.putBytes(Buffer.from(JSON.stringify(manifest)));
    const names = Array.isArray(tags)
      ? tags.filter((tag): tag is string => typeof tag === 'string').map(normalizeReference)
      : [];
    images.push({ descriptor: { mediaType: mediaTypes.ociManifest, ...stored }, names });
  }
  if (images.length === 0) throw broken('manifest.json names no image');
  return images;
}

/** A layer's descriptor with the type its bytes show, held against the diffID of the config. */
async function describeLayer(store: ContentStore, layer: StoredFile, diffId: Digest): Promise<Descriptor> {
  const { start, stream } = await peek(store.open(layer));
  const packing = sniff(start);
  const plain = measure(decompress(stream));
  for await (const _chunk of plain.stream);
  const found = plain.result().digest;
  if (found !== diffId) {
    throw new TsbuildError(
      'TSB_INTEGRITY_DIFF_ID',
      `a layer unpacks to ${found}, the config says ${diffId}`,
      {
        hint: 'The archive is damaged: write it again.',
      },
    );
  }
  const types = { gzip: mediaTypes.ociLayerGzip, zstd: mediaTypes.ociLayerZstd, plain: mediaTypes.ociLayer };
  return { mediaType: types[packing as keyof typeof types], digest: layer.digest, size: layer.size };
}

/**
 * Copies images of an OCI layout folder into the store.
 * @param select name or tag as in index.json, or a digest; all where none is given
 */
export async function loadLayout(
  folder: string,
  store: ContentStore,
  signal: AbortSignal,
  select?: string,
): Promise<NamedImage[]> {
  const source = folderStore(folder);
  const bytes = await readFile(join(folder, 'index.json')).catch((error: Error) => {
    throw new TsbuildError('TSB_RESOLVE_BAD_LAYOUT', `${folder} is no OCI layout: ${error.message}`, {
      hint: 'An OCI layout is a folder with index.json, oci-layout and blobs/.',
      cause: error,
    });
  });
  const { manifests } = decodeIndex(bytes, join(folder, 'index.json'));
  const chosen = select === undefined ? manifests : manifests.filter((entry) => isSelected(entry, select));
  if (chosen.length === 0) {
    const known = manifests.map(({ annotations, digest }) => annotations?.[refNameAnnotation] ?? digest);
    throw new TsbuildError('TSB_RESOLVE_NOT_FOUND', `${folder} has no image ${select ?? ''}`.trimEnd(), {
      hint: known.length > 0 ? `It has: ${known.join(', ')}.` : 'Its index.json is empty.',
    });
  }
  const images = fromEntries(chosen);
  for (const blob of await collectBlobs(
    source,
    images.map(({ descriptor }) => descriptor),
    { partial: true },
  )) {
    signal.throwIfAborted();
    await store.put(source.open(blob), blob, signal);
  }
  return images;
}

function isSelected({ digest, annotations }: Descriptor, select: string): boolean {
  return [digest, annotations?.[refNameAnnotation], annotations?.[imageNameAnnotation]].includes(select);
}

/** Reads blobs of a folder that is not ours: nothing is created in it, and nothing in it believed. */
function folderStore(folder: string): Pick<ContentStore, 'has' | 'open' | 'read'> {
  const pathOf = (digest: Digest) => join(folder, 'blobs/sha256', hexOf(digest));
  async function* open({ digest }: StoredFile): ByteStream {
    const file = await openFile(pathOf(digest));
    try {
      yield* readOpenFile(file);
    } finally {
      await file.close();
    }
  }
  return {
    has: async (digest) => (await stat(pathOf(digest)).catch(() => undefined))?.size,
    open,
    async read(descriptor) {
      const bytes = await collect(open(descriptor), documentLimit, `blob ${descriptor.digest} in ${folder}`);
      verifyBytes(bytes, descriptor, `blob ${descriptor.digest} in ${folder}`);
      return bytes;
    },
  };
}
