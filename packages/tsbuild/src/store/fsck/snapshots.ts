/**
 * Snapshots: their own records, then, where the store has something to hold them against, their files. A layer of an image
 * whose blob is there is unpacked again beside it; a step's result that was exported is packed again and
 * compared with the digest it had.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { type Descriptor, type Digest, hexOf, isDigest, storeFull, TsbuildError } from '@tsbuild/core';
import { checkSnapshot, createExecutor, type Executor } from '@tsbuild/executor';
import type { LayerRef, Ref } from '@tsbuild/solver';
import { decompressStream } from '../../export/compression.js';
import { layerKey } from '../../export/layers.js';
import { decodeRecord } from '../cache-store.js';
import { parseRecord } from '../record-file.js';
import type { Examination, Finding } from './finding.js';
import { isFolder, namesIn, readText } from './index-files.js';

const lost = 'steps that need it run again; layers of images are unpacked or fetched again';

export async function checkSnapshots(examination: Examination): Promise<void> {
  const { store, signal, checked, fault, leftover } = examination;
  const parent = join(store.root, 'snapshots');
  const refs = readRefs(store.root);
  for (const id of namesIn(parent)) {
    const path = join(parent, id);
    if (!isFolder(path)) {
      if (fs.existsSync(path)) fault(path, 'this is no snapshot', lost, { repair: () => fs.rmSync(path) });
      continue;
    }
    checked.snapshots++;
    const removal = removalOf(examination, id, refs);
    const found = await checkSnapshot(path, signal).catch((error: NodeJS.ErrnoException) => {
      signal.throwIfAborted();
      return { fault: error.message, stale: false, compared: false };
    });
    if (found.compared) checked.snapshotsCompared++;
    if (found.stale) {
      leftover(path, 'it was made before the machine went down, and its data may be lost', removal);
    } else if (found.fault !== undefined && fs.existsSync(path)) fault(path, found.fault, lost, removal);
  }
  await checkFiles(examination, refs, parent);
}

/** Refs of all records that can be read. */
function readRefs(root: string): { path: string; ref: Ref }[] {
  const folder = join(root, 'cache/steps');
  if (!fs.existsSync(folder)) return [];
  return namesIn(folder).flatMap((name) => {
    const path = join(folder, name);
    const record = decodeRecord(parseRecord(readText(path) ?? ''));
    return record ? [{ path, ref: record.ref }] : [];
  });
}

/** With the snapshot go the records that have it, unless a layer of an image can take its place. */
function removalOf(
  { store }: Examination,
  id: string,
  refs: readonly { path: string; ref: Ref }[],
): Pick<Finding, 'repair' | 'snapshots'> {
  return {
    snapshots: [id],
    repair: async () => {
      for (const { path, ref } of refs) {
        if (ref.layers.some(({ snapshot, blob }) => snapshot === id && blob === undefined))
          fs.rmSync(path, { force: true });
      }
      await store.removeTree(join('snapshots', id));
    },
  };
}

/** A layer on what is below it, and what its content has to be. */
interface Expectation {
  ref: Ref;
  layer: LayerRef;
  blob?: Descriptor;
  diffId: Digest;
}

async function checkFiles(
  examination: Examination,
  refs: readonly { path: string; ref: Ref }[],
  parent: string,
): Promise<void> {
  const { store, signal, checked, broken, fault } = examination;
  const expected = expectations(examination, refs);
  if (expected.length === 0) return;
  const executor = await createExecutor(nothingToFetch(store.root)).catch((error: unknown) => {
    if (isFull(error)) return undefined;
    throw error;
  });
  if (executor === undefined) return;
  try {
    for (const expectation of expected) {
      const { ref, layer } = expectation;
      // What stands on something broken is not to blame.
      if (ref.layers.some(({ snapshot }) => broken.has(join(parent, snapshot)))) continue;
      if (!ref.layers.every(({ snapshot }) => isFolder(join(parent, snapshot)))) continue;
      const path = join(parent, layer.snapshot);
      let message: string | undefined;
      try {
        message = await compare(executor, examination, expectation);
        checked.snapshotsRead++;
      } catch (error) {
        signal.throwIfAborted();
        // Unpacking takes space, which a full disk has not.
        if (isFull(error) || !isFolder(path)) continue;
        message = (error as Error).message;
      }
      if (message !== undefined) fault(path, message, lost, removalOf(examination, layer.snapshot, refs));
    }
  } finally {
    await executor.close();
  }
}

function expectations({ store, broken }: Examination, refs: readonly { ref: Ref }[]): Expectation[] {
  const known = new Map<string, Expectation>();
  for (const { ref } of refs) {
    for (const [index, layer] of ref.layers.entries()) {
      if (known.has(layer.snapshot)) continue;
      const below = { layers: ref.layers.slice(0, index + 1) };
      const { blob, diffId } = layer;
      if (blob !== undefined && diffId !== undefined) {
        const file = join(store.root, 'oci/blobs/sha256', hexOf(blob.digest));
        if (fs.existsSync(file) && !broken.has(file))
          known.set(layer.snapshot, { ref: below, layer, blob, diffId });
        continue;
      }
      const packed = parseRecord(
        readText(join(store.root, 'cache/layers', layerKey(ref, index, undefined))) ?? '',
      );
      const digest = (packed as { digest?: unknown } | undefined)?.digest;
      if (isDigest(digest)) known.set(layer.snapshot, { ref: below, layer, diffId: digest });
    }
  }
  // Those below first: they decide about those above.
  return [...known.values()].sort((a, b) => a.ref.layers.length - b.ref.layers.length);
}

async function compare(
  executor: Executor,
  { store, signal }: Examination,
  { ref, layer, blob, diffId }: Expectation,
): Promise<string | undefined> {
  if (blob !== undefined) {
    const parents = { layers: ref.layers.slice(0, -1) };
    const tar = decompressStream(store.content.open(blob));
    const differences = await executor.differsFromLayer(layer, parents, tar, diffId, signal);
    return differences === 0 ? undefined : `${differences} of its files differ from the layer ${blob.digest}`;
  }
  const hash = createHash('sha256');
  for await (const chunk of executor.layerTar(ref, ref.layers.length - 1, { signal })) hash.update(chunk);
  const found = `sha256:${hash.digest('hex')}`;
  return found === diffId
    ? undefined
    : `its files give the layer ${found}, and gave ${diffId} when it was exported`;
}

function isFull(error: unknown): boolean {
  return (TsbuildError.is(error) && error.code === 'TSB_STORE_FULL') || storeFull(error, '') !== undefined;
}

/** An executor that only packs and unpacks what is there. */
function nothingToFetch(root: string): Parameters<typeof createExecutor>[0] {
  const never = async () => {
    throw new Error('fsck fetches nothing');
  };
  return {
    root,
    contexts: new Map(),
    openLayer: never,
    fetchUrl: never,
    secret: async () => undefined,
    sshAgent: () => undefined,
    notice: () => {},
  };
}
