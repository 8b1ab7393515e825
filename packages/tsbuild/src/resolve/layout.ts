/** Reads a user's OCI layout folder (image-spec image-layout.md); never writes to it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Descriptor, type Digest, hexOf, sha256, suggest, TsbuildError } from '@tsbuild/core';
import { type ByteStream, decodeIndex } from '@tsbuild/registry';
import type { ReadDocument } from '../image/read.js';
import { readFileStream } from '../store/read-stream.js';

export interface Layout {
  /** The image a tag or digest names; without either the only one, or `latest`. */
  root(wanted: { tag: string | undefined; digest: Digest | undefined }): Promise<Descriptor>;
  read: ReadDocument;
  /** Not verified: who reads it checks the digest. */
  open(blob: Descriptor): ByteStream;
}

const refName = 'org.opencontainers.image.ref.name';
const containerdName = 'io.containerd.image.name';

/** @throws TsbuildError TSB_RESOLVE_LAYOUT */
export async function openLayout(path: string): Promise<Layout> {
  const index = decodeIndex(await readIndex(path), join(path, 'index.json'));
  const blobPath = (digest: Digest) => join(path, 'blobs/sha256', hexOf(digest));
  return {
    async root({ tag, digest }) {
      const found = choose(index.manifests, tag, digest);
      if (found) return found;
      if (digest !== undefined) return await unlisted(blobPath(digest), digest, path);
      const names = index.manifests.flatMap((entry) => entry.annotations?.[refName] ?? []);
      const near = suggest(tag ?? 'latest', names);
      throw new TsbuildError('TSB_RESOLVE_LAYOUT', `the OCI layout ${path} has no image ${tag ?? 'latest'}`, {
        hint: near
          ? `Did you mean ${near}?`
          : `It has ${names.join(', ') || 'no named images'}: write PATH:TAG or PATH@DIGEST.`,
      });
    },
    async read(descriptor) {
      const bytes = await readFile(blobPath(descriptor.digest)).catch((error: unknown) => {
        throw missing(path, descriptor.digest, error);
      });
      if (sha256(bytes) !== descriptor.digest) {
        throw new TsbuildError(
          'TSB_INTEGRITY_DIGEST',
          `blob ${descriptor.digest} of the OCI layout ${path} is damaged`,
          {
            hint: 'Write the layout again with the tool that made it.',
          },
        );
      }
      return bytes;
    },
    open: (blob) => readFileStream(blobPath(blob.digest)),
  };
}

function choose(
  manifests: Descriptor[],
  tag: string | undefined,
  digest: Digest | undefined,
): Descriptor | undefined {
  if (digest !== undefined) return manifests.find((entry) => entry.digest === digest);
  const named = manifests.find((entry) => {
    const name = entry.annotations?.[refName];
    return (
      name === (tag ?? 'latest') ||
      (name?.endsWith(`:${tag ?? 'latest'}`) ?? false) ||
      (entry.annotations?.[containerdName]?.endsWith(`:${tag ?? 'latest'}`) ?? false)
    );
  });
  return named ?? (tag === undefined && manifests.length === 1 ? manifests[0] : undefined);
}

/** A blob that index.json does not list: its own mediaType says what it is. */
async function unlisted(path: string, digest: Digest, layout: string): Promise<Descriptor> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw missing(layout, digest, error);
  });
  const { mediaType, manifests } = JSON.parse(bytes.toString('utf8')) as {
    mediaType?: string;
    manifests?: unknown;
  };
  const kind = manifests === undefined ? 'manifest' : 'index';
  return { mediaType: mediaType ?? `application/vnd.oci.image.${kind}.v1+json`, digest, size: bytes.length };
}

async function readIndex(path: string): Promise<Buffer> {
  try {
    return await readFile(join(path, 'index.json'));
  } catch (error) {
    throw new TsbuildError(
      'TSB_RESOLVE_LAYOUT',
      `${path} is no OCI layout: it has no index.json that can be read`,
      {
        hint: 'Make one with `tsbuild save --format oci` or `skopeo copy … oci:PATH:TAG`.',
        cause: error,
      },
    );
  }
}

function missing(path: string, digest: Digest, cause: unknown): TsbuildError {
  return new TsbuildError('TSB_RESOLVE_LAYOUT', `the OCI layout ${path} lacks the blob ${digest}`, {
    hint: 'Copy the image into it again, with all its platforms.',
    cause,
  });
}
