/** The store as users see it: things with a type, an id and a size, whose sizes add up to what the store takes. */
import type { Digest } from '@tsbuild/core';
import type { StoreEntry } from '../api/types.js';
import type { InUse } from './in-use.js';
import type { Inventory, StepItem } from './inventory.js';

/** Base image layers have ids made of their content; all other snapshots belong to a record. */
export const isLayerSnapshot = (id: string): boolean => id.startsWith('c-');

/** The step whose result each snapshot is: the oldest record that has it on top. */
export function makersOf(steps: readonly StepItem[]): Map<string, StepItem> {
  const makers = new Map<string, StepItem>();
  for (const step of steps) {
    const top = step.snapshots.at(-1);
    if (top === undefined) continue;
    const known = makers.get(top);
    if (known === undefined || step.createdAt < known.createdAt) makers.set(top, step);
  }
  return makers;
}

export type Described = Pick<StoreEntry, 'type' | 'id' | 'description'>;

/** How each thing is called, in one place for du and prune. */
export function describe(inventory: Inventory) {
  const makers = makersOf(inventory.steps);
  const downloads = new Set(inventory.downloads.map(({ snapshot }) => snapshot));
  const imagesOf = new Map<string, string>();
  for (const { name, blobs } of [...inventory.names, ...inventory.images])
    for (const blob of blobs) imagesOf.set(blob, name);
  const layerBlobs = new Map<string, string>();
  for (const { ref } of inventory.steps)
    for (const { snapshot, blob } of ref.layers) if (blob) layerBlobs.set(snapshot, blob.digest);
  return {
    step: (step: StepItem): Described => ({ type: 'step', id: step.key, description: step.description }),
    snapshot(id: string): Described {
      const maker = makers.get(id);
      if (maker) return this.step(maker);
      if (isLayerSnapshot(id)) {
        const image = imagesOf.get(layerBlobs.get(id) ?? '');
        return {
          type: 'source',
          id,
          description: image === undefined ? 'layer of an image' : `layer of ${image}`,
        };
      }
      if (downloads.has(id)) return { type: 'source', id, description: 'file that ADD fetched' };
      return { type: 'step', id, description: 'result that nothing refers to' };
    },
    blob(digest: Digest): Described {
      const image = imagesOf.get(digest);
      return {
        type: 'blob',
        id: digest,
        description: image === undefined ? 'blob of no image' : `blob of ${image}`,
      };
    },
    name: (name: string): Described => ({ type: 'source', id: name, description: `what ${name} is` }),
    mount: (name: string): Described => ({
      type: 'mount',
      id: inventory.mounts.get(name)?.id || name,
      description: `cache mount ${name.slice(0, 12)}`,
    }),
    index: (root: string, path: string): Described => ({
      type: 'index',
      id: path.slice(root.length + 1),
      description: 'file of the index',
    }),
    temporary: (root: string, path: string): Described => ({
      type: 'temporary',
      id: path.slice(root.length + 1),
      description: 'unfinished work',
    }),
  };
}

/** Everything in the store. A snapshot counts with the step that made it. */
export function listEntries(root: string, inventory: Inventory, inUse: InUse): StoreEntry[] {
  const named = describe(inventory);
  const entries: StoreEntry[] = [];
  const add = (
    described: Described,
    bytes: number,
    usedAt: number,
    facts: { inUse?: boolean; createdAt?: string } = {},
  ) =>
    entries.push({
      ...described,
      bytes,
      ...(facts.createdAt === undefined ? {} : { createdAt: facts.createdAt }),
      usedAt: new Date(usedAt).toISOString(),
      inUse: facts.inUse ?? false,
    });
  const counted = new Set<string>();
  const makers = makersOf(inventory.steps);
  for (const step of inventory.steps) {
    const top = step.snapshots.at(-1) ?? '';
    const own = makers.get(top) === step && !isLayerSnapshot(top) ? inventory.snapshots.get(top) : undefined;
    if (own) counted.add(top);
    const facts = { createdAt: step.createdAt, inUse: inUse.snapshots.has(top) };
    add(named.step(step), step.bytes + (own?.bytes ?? 0), step.usedAt, facts);
  }
  for (const { path, bytes, usedAt, snapshot } of inventory.downloads) {
    const own = counted.has(snapshot) ? undefined : inventory.snapshots.get(snapshot);
    if (own) counted.add(snapshot);
    const described = { ...named.snapshot(snapshot), id: path.slice(root.length + 1) };
    add(described, bytes + (own?.bytes ?? 0), usedAt, { inUse: inUse.snapshots.has(snapshot) });
  }
  for (const [id, { bytes, usedAt }] of inventory.snapshots)
    if (!counted.has(id)) add(named.snapshot(id), bytes, usedAt, { inUse: inUse.snapshots.has(id) });
  for (const [digest, { bytes, usedAt }] of inventory.blobs)
    add(named.blob(digest), bytes, usedAt, { inUse: usedAt >= inUse.since });
  for (const { name, bytes, usedAt } of inventory.names) add(named.name(name), bytes, usedAt);
  for (const [name, { bytes, usedAt }] of inventory.mounts)
    add(named.mount(name), bytes, usedAt, { inUse: usedAt >= inUse.since });
  for (const { path, bytes, usedAt } of [...inventory.encodings, ...inventory.memos])
    add(named.index(root, path), bytes, usedAt);
  for (const { path, bytes, usedAt } of inventory.temporary) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    add(named.temporary(root, path), bytes, usedAt, { inUse: inUse.live.has(name) || usedAt >= inUse.since });
  }
  const rest = { type: 'store', id: 'store', description: 'folders, names, locks and leases' } as const;
  add(rest, inventory.rest, Date.now());
  return entries;
}
