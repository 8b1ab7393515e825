/**
 * The content store on disk: blobs of an OCI image layout (image-spec image-layout.md) below `root`, which also
 * holds `ingest/` for what is being written.
 *
 * Crash cases. Before the rename: a file in ingest/ that nobody reads (removeStaleIngest collects it). Between rename
 * and the fsync of the directory: the name may be gone after a power cut, the data behind it never is. A blob of the wrong
 * length (a disk that lies about fsync) is not there for `has` when asked with a size by `put`, which replaces it.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
  type FileHandle,
} from 'node:fs/promises';
import { join } from 'node:path';
import { hexOf, isDigest, sha256, TsbuildError, type Descriptor, type Digest } from '@tsbuild/core';
import type { ByteStream, ContentStore } from '../api.js';
import { storeFault } from './fault.js';
import { collect, digestMismatch, sizeMismatch, verified, verifyBytes } from './verify.js';

const chunkSize = 1 << 20;
/** `read` is for manifests and configs; docker and containerd bound them alike. */
const readLimit = 8 << 20;

export interface ContentStoreOptions {
  /** Runs the moments in which a blob is found or published, while nobody decides which blobs to remove. */
  gated?: <T>(work: () => Promise<T>) => Promise<T>;
  /** Told about a blob that turned out damaged when it was read, and was removed. */
  damaged?(message: string): void;
}

/** Opens the store, laying out an empty one where there is none. Idempotent, safe in parallel. */
export async function openContentStore(
  root: string,
  { gated = (work) => work(), damaged = () => {} }: ContentStoreOptions = {},
): Promise<ContentStore> {
  await mkdir(join(root, 'blobs/sha256'), { recursive: true });
  await mkdir(join(root, 'ingest'), { recursive: true });
  try {
    await writeFile(join(root, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}', { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const pathOf = (digest: Digest) => join(root, 'blobs/sha256', hexOf(digest));

  async function has(digest: Digest): Promise<number | undefined> {
    try {
      const entry = await stat(pathOf(digest));
      return entry.isFile() ? entry.size : undefined;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw storeFault(error, pathOf(digest));
    }
  }

  /** Size of a blob that is there; what is used counts as new. */
  async function use(digest: Digest, size: number | undefined): Promise<number | undefined> {
    const found = await has(digest);
    if (found === undefined || (size !== undefined && found !== size)) return undefined;
    const now = new Date();
    await utimes(pathOf(digest), now, now);
    return found;
  }

  async function* readBlob(descriptor: Pick<Descriptor, 'digest' | 'size'>): ByteStream {
    const file = await open(pathOf(descriptor.digest)).catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'ENOENT'
        ? missing(descriptor.digest)
        : storeFault(error, pathOf(descriptor.digest));
    });
    try {
      yield* readOpenFile(file);
    } finally {
      await file.close();
    }
  }

  async function* openBlob(descriptor: Pick<Descriptor, 'digest' | 'size'>): ByteStream {
    const what = `blob ${descriptor.digest} in the store`;
    try {
      yield* verified(readBlob(descriptor), descriptor, what);
    } catch (error) {
      await removeDamaged(descriptor.digest, error);
      throw error;
    }
  }

  /** What is not what its name says is of no use to anyone; a size that a caller was told wrong is no such fault. */
  async function removeDamaged(digest: Digest, error: unknown): Promise<void> {
    if (!TsbuildError.is(error) || !error.code.startsWith('TSB_INTEGRITY_')) return;
    const hash = createHash('sha256');
    try {
      for await (const chunk of readBlob({ digest, size: 0 })) hash.update(chunk);
    } catch {
      // Gone meanwhile, or no file: the error at hand says enough.
      return;
    }
    if (`sha256:${hash.digest('hex')}` === digest) return;
    await rm(pathOf(digest), { force: true });
    damaged(error.message);
  }

  async function put(
    stream: ByteStream,
    expected: { digest?: Digest; size?: number },
    signal?: AbortSignal,
  ): Promise<{ digest: Digest; size: number }> {
    signal?.throwIfAborted();
    if (expected.digest !== undefined) {
      const { digest } = expected;
      const size = await gated(() => use(digest, expected.size));
      if (size !== undefined) {
        await closeUnread(stream);
        return { digest, size };
      }
    }
    const temporary = join(root, 'ingest', randomBytes(12).toString('hex'));
    const file = await open(temporary, 'wx').catch((error: unknown) => {
      throw storeFault(error, temporary);
    });
    try {
      const hash = createHash('sha256');
      let size = 0;
      try {
        for await (const chunk of stream) {
          signal?.throwIfAborted();
          size += chunk.length;
          if (expected.size !== undefined && size > expected.size) {
            throw sizeMismatch('blob', expected.size, `more than ${expected.size}`);
          }
          hash.update(chunk);
          await writeAll(file, chunk, temporary);
        }
        if (expected.size !== undefined && size !== expected.size)
          throw sizeMismatch('blob', expected.size, size);
        const digest = `sha256:${hash.digest('hex')}` as Digest;
        if (expected.digest !== undefined && digest !== expected.digest) {
          throw digestMismatch('blob', expected.digest, digest);
        }
        await publish(file, temporary, digest);
        return { digest, size };
      } finally {
        await file.close();
      }
    } catch (error) {
      await rm(temporary, { force: true });
      throw storeFault(error, temporary);
    }
  }

  async function publish(file: FileHandle, temporary: string, digest: Digest): Promise<void> {
    await file.chmod(0o644);
    await file.sync();
    await gated(() => rename(temporary, pathOf(digest)));
    const directory = await open(join(root, 'blobs/sha256'));
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }

  return {
    has,
    open: openBlob,
    put,
    async read(descriptor) {
      const what = `blob ${descriptor.digest} in the store`;
      try {
        const bytes = await collect(readBlob(descriptor), readLimit, what);
        verifyBytes(bytes, descriptor, what);
        return bytes;
      } catch (error) {
        await removeDamaged(descriptor.digest, error);
        throw error;
      }
    },
    async putBytes(bytes) {
      const digest = sha256(bytes);
      // Documents are small: one that was damaged on the disk is written again.
      const kept = await readFile(pathOf(digest)).catch(() => undefined);
      if (kept !== undefined && sha256(kept) !== digest) {
        await removeDamaged(digest, digestMismatch(`blob ${digest} in the store`, digest, sha256(kept)));
      }
      return put(once(bytes), { digest, size: bytes.length });
    },
    async remove(digest) {
      await rm(pathOf(digest), { force: true });
    },
    async *list() {
      for (const name of await readdir(join(root, 'blobs/sha256'))) {
        const digest = `sha256:${name}`;
        if (!isDigest(digest)) continue;
        const entry = await stat(pathOf(digest)).catch(() => undefined);
        if (entry?.isFile()) yield { digest, size: entry.size, mtimeMs: entry.mtimeMs };
      }
    },
  };
}

/** Removes what crashed writers left in ingest/ and nobody has written to for `olderThanMs`; returns the bytes freed. */
export async function removeStaleIngest(root: string, olderThanMs: number): Promise<number> {
  let freed = 0;
  for (const name of await readdir(join(root, 'ingest')).catch(() => [])) {
    const path = join(root, 'ingest', name);
    const entry = await stat(path).catch(() => undefined);
    if (entry === undefined || entry.mtimeMs > Date.now() - olderThanMs) continue;
    await rm(path, { force: true });
    freed += entry.size;
  }
  return freed;
}

async function* once(bytes: Uint8Array): ByteStream {
  yield bytes;
}

/** Reads an open file from its start. Chunks are fresh buffers: consumers may keep them. */
export async function* readOpenFile(file: FileHandle): ByteStream {
  for (let position = 0; ; ) {
    const buffer = Buffer.allocUnsafe(chunkSize);
    const { bytesRead } = await file.read(buffer, 0, chunkSize, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** A Node stream holds its file or socket from the start; a generator nothing before its first step. */
async function closeUnread(stream: ByteStream & { destroy?: () => void }): Promise<void> {
  if (stream.destroy !== undefined) stream.destroy();
  else await stream[Symbol.asyncIterator]().return?.();
}

async function writeAll(file: FileHandle, chunk: Uint8Array, path: string): Promise<void> {
  for (let done = 0; done < chunk.length; ) {
    try {
      done += (await file.write(chunk, done, chunk.length - done)).bytesWritten;
    } catch (error) {
      throw storeFault(error, path);
    }
  }
}

function missing(digest: Digest): TsbuildError {
  return new TsbuildError('TSB_STORE_BLOB_MISSING', `blob ${digest} is not in the store`, {
    hint: 'Pull or build the image again; `tsbuild prune` may have removed it.',
  });
}
