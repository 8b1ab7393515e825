/** The index of step results: one record file per key under cache/steps (see record-file.ts). */
import { join } from 'node:path';
import { type Descriptor, type Digest, hexOf, isDigest } from '@tsbuild/core';
import type { CacheRecord, CacheStore, LayerRef, SnapshotId } from '@tsbuild/solver';
import { acquireLock } from './lock.js';
import { dropRecord, listRecords, readRecord, touchRecord, writeRecord } from './record-file.js';

export interface StepRecord extends CacheRecord {
  /** Full path of the record's file. */
  path: string;
}

export interface StepCache extends CacheStore {
  /** Every record that can be read. */
  records(): Iterable<StepRecord>;
}

/** @param warn is told about records that were found damaged; each is then a miss */
export function createStepCache(root: string, warn: (message: string) => void): StepCache {
  const folder = join(root, 'cache/steps');
  const pathOf = (key: Digest) => join(folder, hexOf(key));
  const damaged = (message: string) => warn(`cache: ${message}; the step runs again`);

  const read = (path: string) => decodeRecord(readRecord(path, damaged));

  return {
    async get(key) {
      const path = pathOf(key);
      const record = read(path);
      if (record === undefined) return undefined;
      if (record.key !== key) {
        damaged(`${path} is damaged`);
        dropRecord(path);
        return undefined;
      }
      touchRecord(path, new Date());
      return record;
    },
    async put(record) {
      writeRecord(pathOf(record.key), record);
    },
    async lock(key, signal) {
      return await acquireLock(join(root, 'locks', hexOf(key)), 'exclusive', signal);
    },
    *records() {
      for (const path of listRecords(folder)) {
        const record = read(path);
        if (record) yield { ...record, path };
      }
    },
  };
}

/** Checks a record's shape, so that what another version wrote is a miss and not a fault further on. */
export function decodeRecord(value: unknown): CacheRecord | undefined {
  if (!isObject(value) || !isDigest(value.key) || !isObject(value.ref) || !Array.isArray(value.ref.layers))
    return undefined;
  if (typeof value.createdAt !== 'string' || typeof value.description !== 'string') return undefined;
  const layers: LayerRef[] = [];
  for (const layer of value.ref.layers as unknown[]) {
    if (!isObject(layer) || typeof layer.snapshot !== 'string') return undefined;
    const { snapshot, createdAt, diffId, blob, imported } = layer;
    if (createdAt !== undefined && typeof createdAt !== 'string') return undefined;
    if (diffId !== undefined && !isDigest(diffId)) return undefined;
    if (blob !== undefined && !isDescriptor(blob)) return undefined;
    if (imported !== undefined && !isTextList(imported)) return undefined;
    layers.push({
      snapshot: snapshot as SnapshotId,
      ...(createdAt === undefined ? {} : { createdAt }),
      ...(diffId === undefined ? {} : { diffId }),
      ...(blob === undefined ? {} : { blob }),
      ...(imported === undefined ? {} : { imported }),
    });
  }
  return { key: value.key, ref: { layers }, createdAt: value.createdAt, description: value.description };
}

export function isDescriptor(value: unknown): value is Descriptor {
  return (
    isObject(value) &&
    isDigest(value.digest) &&
    Number.isSafeInteger(value.size) &&
    (value.size as number) >= 0 &&
    typeof value.mediaType === 'string'
  );
}

function isTextList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
