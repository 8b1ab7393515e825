/** `tsbuild du`: what the store holds and what prune could give back. */
import type { CallOptions, DiskUsage, StoreEntry } from '../api/types.js';
import type { OperationContext } from '../engine/context.js';
import { listEntries, makersOf } from './entries.js';
import { parseFilters } from './entry-filter.js';
import { readInUse } from './in-use.js';
import { type Inventory, takeInventory } from './inventory.js';
import { openStore } from './open.js';
import { planPrune } from './prune-plan.js';

type Options = Omit<CallOptions, 'signal' | 'onEvent'>;

export async function diskUsage({ root }: Options, { emit }: OperationContext): Promise<DiskUsage> {
  const store = await openStore({ root, warn: (message) => emit({ type: 'notice', message }) });
  const inventory = await takeInventory(store);
  const inUse = readInUse(store.root);
  const entries = listEntries(store.root, inventory, inUse);
  const request = {
    root: store.root,
    filter: parseFilters([]),
    all: false,
    limit: undefined,
    now: Date.now(),
  };
  const plan = planPrune(inventory, inUse, request);
  const makers = makersOf(inventory.steps);
  const sum = (...types: StoreEntry['type'][]) => sumOf(entries.filter(({ type }) => types.includes(type)));
  const snapshots = sumOf([...inventory.snapshots.values()]);
  return {
    total: inventory.total,
    reclaimable: plan.reduce((total, { bytes }) => total + bytes, 0),
    images: inventory.images.map(({ name, digest, blobs }) => ({
      name,
      digest,
      bytes: [...blobs].reduce((total, blob) => total + (inventory.blobs.get(blob)?.bytes ?? 0), 0),
    })),
    blobs: sum('blob'),
    snapshots,
    cacheMounts: sum('mount'),
    index: { count: indexFiles(inventory).length, bytes: sumOf(indexFiles(inventory)).bytes },
    temporary: sum('temporary'),
    other: inventory.rest,
    entries,
    records: inventory.steps.map((step) => {
      const top = step.snapshots.at(-1) ?? '';
      const own = makers.get(top) === step ? (inventory.snapshots.get(top)?.bytes ?? 0) : 0;
      return {
        key: step.key,
        description: step.description,
        createdAt: step.createdAt,
        usedAt: new Date(step.usedAt).toISOString(),
        bytes: own,
        inUse: inUse.snapshots.has(top),
      };
    }),
  };
}

function indexFiles({ steps, downloads, names, encodings, memos }: Inventory): { bytes: number }[] {
  return [...steps, ...downloads, ...names, ...encodings, ...memos];
}

function sumOf(items: readonly { bytes: number }[]): { count: number; bytes: number } {
  return { count: items.length, bytes: items.reduce((total, { bytes }) => total + bytes, 0) };
}
