/**
 * The content store on disk: blobs of an OCI image layout (image-spec image-layout.md) below `root`, which also
 * holds `ingest/` for what is being written.
 *
 * Crash cases. Before the rename: a file in ingest/ that nobody reads (removeStaleIngest collects it). Between rename
 * and the fsync of the directory: the name may be gone after a power cut, the data behind it never is. A blob of the wrong
 * length (a disk that lies about fsync) is not there for `has` when asked with a size by `put`, which replaces it.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, utimes, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { hexOf, isDigest, sha256, TsbuildError, type Descriptor, type Digest } from '@tsbuild/core';
import type { ByteStream, ContentStore } from '../api.js';
import { collect, digestMismatch, sizeMismatch, verified, verifyBytes } from './verify.js';

const chunkSize = 1 << 20;
/** `read` is for manifests and configs; docker and containerd bound them alike. */
const readLimit = 8 << 20;

export interface ContentStoreOptions {
  /** Runs the moments in which a blob is found or published, while nobody decides which blobs to remove. */
  gated?: <T>(work: () => Promise<T>) => Promise<T>;
}

/** Opens the store, laying out an empty one where there is none. Idempotent, safe in parallel. */
export async function openContentStore(
  root: string,
  { gated = (work) => work() }: ContentStoreOptions = {},
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
      throw storeFault(error, root);
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
      throw error.code === 'ENOENT' ? missing(descriptor.digest) : storeFault(error, root);
    });
    try {
      yield* readOpenFile(file);
    } finally {
      await file.close();
    }
  }

  const openBlob = (descriptor: Pick<Descriptor, 'digest' | 'size'>): ByteStream =>
    verified(readBlob(descriptor), descriptor, `blob ${descriptor.digest} in the store`);

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
      throw storeFault(error, root);
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
          await writeAll(file, chunk, root);
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
      throw error;
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
      const bytes = await collect(readBlob(descriptor), readLimit, what);
      verifyBytes(bytes, descriptor, what);
      return bytes;
    },
    async putBytes(bytes) {
      return put(once(bytes), { digest: sha256(bytes), size: bytes.length });
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

async function writeAll(file: FileHandle, chunk: Uint8Array, root: string): Promise<void> {
  for (let done = 0; done < chunk.length; ) {
    try {
      done += (await file.write(chunk, done, chunk.length - done)).bytesWritten;
    } catch (error) {
      throw storeFault(error, root);
    }
  }
}

function missing(digest: Digest): TsbuildError {
  return new TsbuildError('TSB_STORE_BLOB_MISSING', `blob ${digest} is not in the store`, {
    hint: 'Pull or build the image again; `tsbuild prune` may have removed it.',
  });
}

function storeFault(error: unknown, root: string): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new TsbuildError('TSB_STORE_FULL', `no space left for the store in ${root}`, {
      hint: 'Free some with `tsbuild prune`, or put the store elsewhere with --root.',
      cause: error,
    });
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new TsbuildError(
      'TSB_STORE_NOT_WRITABLE',
      `the store in ${root} cannot be used: ${(error as Error).message}`,
      {
        hint: 'Use a folder of your own with --root.',
        cause: error,
      },
    );
  }
  return error;
}
