/** `tsbuild du`: what the store holds and what prune could give back. */
import type { CallOptions, DiskUsage } from '../api/types.js';
import type { OperationContext } from '../engine/context.js';
import { type Inventory, type Measured, takeInventory } from './inventory.js';
import { openStore } from './open.js';
import { heldSnapshots } from './held.js';

export async function diskUsage({ root }: CallOptions, { emit }: OperationContext): Promise<DiskUsage> {
  const store = await openStore({ root, warn: (message) => emit({ type: 'notice', message }) });
  const inventory = await takeInventory(store);
  const held = heldSnapshots(store.root);
  const blobs = sum(inventory.blobs);
  const snapshots = sum(inventory.snapshots);
  const cacheMounts = sum(inventory.mounts);
  const tagged = new Set(inventory.images.flatMap((image) => [...image.blobs]));
  const kept = bytesOf(inventory, tagged);
  const total = blobs.bytes + snapshots.bytes + cacheMounts.bytes;
  return {
    total,
    reclaimable: total - kept,
    images: inventory.images.map(({ name, digest, blobs: own }) => ({
      name,
      digest,
      bytes: bytesOf(inventory, own),
    })),
    blobs,
    snapshots,
    cacheMounts,
    records: inventory.records.map(({ key, description, createdAt, usedAt, ref }) => {
      const top = ref.layers.at(-1)?.snapshot;
      return {
        key,
        description,
        createdAt,
        usedAt: new Date(usedAt).toISOString(),
        bytes: top === undefined ? 0 : (inventory.snapshots.get(top)?.bytes ?? 0),
        inUse: ref.layers.some((layer) => held.has(layer.snapshot)),
      };
    }),
  };
}

function sum(items: ReadonlyMap<unknown, Measured>): { count: number; bytes: number } {
  let bytes = 0;
  for (const item of items.values()) bytes += item.bytes;
  return { count: items.size, bytes };
}

function bytesOf(inventory: Inventory, digests: ReadonlySet<unknown>): number {
  let bytes = 0;
  for (const [digest, { bytes: size }] of inventory.blobs) if (digests.has(digest)) bytes += size;
  return bytes;
}
