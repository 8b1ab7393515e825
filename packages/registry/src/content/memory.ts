/** Content and tags kept in memory: for tests, and for images that are only passed through. */
import { sha256, TsbuildError, type Descriptor, type Digest } from '@tsbuild/core';
import type { ByteStream, ContentStore, TagStore } from '../api.js';
import { normalizeReference } from '../reference.js';
import { digestMismatch, sizeMismatch, verified, verifyBytes } from './verify.js';

export function createMemoryContentStore(): ContentStore {
  const blobs = new Map<Digest, { bytes: Buffer; mtimeMs: number }>();

  function find(digest: Digest): Buffer {
    const blob = blobs.get(digest);
    if (blob === undefined) {
      throw new TsbuildError('TSB_STORE_BLOB_MISSING', `blob ${digest} is not in the store`);
    }
    return blob.bytes;
  }

  async function* stream(digest: Digest): ByteStream {
    yield find(digest);
  }

  async function put(
    source: ByteStream,
    expected: { digest?: Digest; size?: number },
    signal?: AbortSignal,
  ): Promise<{ digest: Digest; size: number }> {
    const chunks: Buffer[] = [];
    let size = 0;
    signal?.throwIfAborted();
    for await (const chunk of source) {
      signal?.throwIfAborted();
      size += chunk.length;
      if (expected.size !== undefined && size > expected.size) {
        throw sizeMismatch('blob', expected.size, `more than ${expected.size}`);
      }
      chunks.push(Buffer.from(chunk));
    }
    const bytes = Buffer.concat(chunks);
    if (expected.size !== undefined && bytes.length !== expected.size)
      throw sizeMismatch('blob', expected.size, bytes.length);
    const digest = sha256(bytes);
    if (expected.digest !== undefined && expected.digest !== digest)
      throw digestMismatch('blob', expected.digest, digest);
    blobs.set(digest, { bytes, mtimeMs: Date.now() });
    return { digest, size: bytes.length };
  }

  return {
    async has(digest) {
      return blobs.get(digest)?.bytes.length;
    },
    open: (descriptor) =>
      verified(stream(descriptor.digest), descriptor, `blob ${descriptor.digest} in the store`),
    async read(descriptor) {
      const bytes = find(descriptor.digest);
      verifyBytes(bytes, descriptor, `blob ${descriptor.digest} in the store`);
      return Buffer.from(bytes);
    },
    put,
    async putBytes(bytes) {
      return put(
        (async function* () {
          yield bytes;
        })(),
        {},
      );
    },
    async remove(digest) {
      blobs.delete(digest);
    },
    async *list() {
      for (const [digest, { bytes, mtimeMs }] of blobs) yield { digest, size: bytes.length, mtimeMs };
    },
  };
}

export function createMemoryTagStore(): TagStore {
  const tags = new Map<string, Descriptor>();
  return {
    async get(name) {
      return tags.get(normalizeReference(name));
    },
    async set(name, descriptor) {
      tags.set(normalizeReference(name), descriptor);
    },
    async delete(name) {
      return tags.delete(normalizeReference(name));
    },
    async list() {
      return [...tags]
        .map(([name, descriptor]) => ({ name, descriptor }))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    async rewrite() {},
  };
}
