/**
 * What a tag in a registry was when it was last asked for. FROM takes the image of that time again, as docker and
 * buildah do with an image they have, until --pull asks anew.
 */
import { join } from 'node:path';
import { type Descriptor, hexOf, sha256 } from '@tsbuild/core';
import { isDescriptor } from '../store/cache-store.js';
import type { Store } from '../store/open.js';
import { keepRecord, listRecords, readRecord, touchRecord } from '../store/record-file.js';

const folder = (store: Store) => join(store.root, 'cache/names');

const pathOf = (store: Store, name: string) => join(folder(store), hexOf(sha256(name)));

export function rememberedName(store: Store, name: string): Descriptor | undefined {
  const path = pathOf(store, name);
  const known = decode(readRecord(path, store.warn));
  if (known?.name !== name) return undefined;
  touchRecord(path, new Date());
  return known.descriptor;
}

export function rememberName(store: Store, name: string, descriptor: Descriptor): void {
  keepRecord(pathOf(store, name), { name, descriptor }, store.warn);
}

export function* rememberedNames(
  store: Store,
): Generator<{ name: string; descriptor: Descriptor; path: string }> {
  for (const path of listRecords(folder(store))) {
    const known = decode(readRecord(path, store.warn));
    if (known) yield { ...known, path };
  }
}

function decode(value: unknown): { name: string; descriptor: Descriptor } | undefined {
  const record = value as { name?: unknown; descriptor?: unknown } | undefined;
  if (typeof record?.name !== 'string' || !isDescriptor(record.descriptor)) return undefined;
  return { name: record.name, descriptor: record.descriptor };
}
