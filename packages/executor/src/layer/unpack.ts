/** From a layer's tar stream to a snapshot, and from ADD's archives into a directory. */
import { createHash } from 'node:crypto';
import { type Digest, TsbuildError } from '@tsbuild/core';
import type { Fd } from '@tsbuild/native';
import type { SnapshotId } from '@tsbuild/solver';
import type { Snapshotter } from '../snapshot/index.js';
import { applyTar } from './apply.js';
import { ByteReader } from './byte-reader.js';

export interface UnpackOptions {
  snapshotter: Snapshotter;
  /** sha256 of the whole stream, padding at its end included. */
  diffId: Digest;
  /** Snapshots of the layers below, bottom first. */
  parents: readonly SnapshotId[];
  /** Id the snapshot is published under. */
  id: SnapshotId;
  signal: AbortSignal;
}

/**
 * Unpacks an uncompressed layer on top of its parents and publishes it once its digest is verified.
 * @throws TsbuildError TSB_INTEGRITY_DIFF_ID, TSB_INTEGRITY_BAD_ARCHIVE; nothing stays of the snapshot then
 */
export async function unpackLayer(
  tar: AsyncIterable<Uint8Array>,
  { snapshotter, diffId, parents, id, signal }: UnpackOptions,
): Promise<SnapshotId> {
  const active = await snapshotter.prepare(parents, signal);
  const hash = createHash('sha256');
  const reader = new ByteReader(tar, signal, (chunk) => hash.update(chunk));
  try {
    await applyTar(reader, active.root(), { kind: 'layer' });
    await reader.drain();
    const found = `sha256:${hash.digest('hex')}`;
    if (found !== diffId) {
      throw new TsbuildError(
        'TSB_INTEGRITY_DIFF_ID',
        `the layer's content is ${found}, its image says ${diffId}`,
        {
          hint: 'The image is damaged or was tampered with; pull it again or build it anew.',
        },
      );
    }
  } catch (error) {
    await reader.close();
    await active.discard();
    throw error;
  }
  return active.commit(id);
}

/**
 * Unpacks an archive into a directory, which is the archive's root: what would leave it by `..` is refused, also behind links. Existing files are
 * replaced, directories merged; names `.wh.*` mean nothing special (moby's archive.Unpack as ADD uses it).
 * @throws TsbuildError TSB_INTEGRITY_BAD_ARCHIVE
 */
export async function extractArchive(
  tar: AsyncIterable<Uint8Array>,
  directory: Fd,
  options: { owner?: { uid: number; gid: number } | undefined; signal: AbortSignal },
): Promise<void> {
  const reader = new ByteReader(tar, options.signal);
  try {
    await applyTar(reader, directory, { kind: 'archive', owner: options.owner });
  } finally {
    await reader.close();
  }
}
