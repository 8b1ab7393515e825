/**
 * Decides what prune removes; pure. Least recently used first, and what stands on something before that: a step's result is
 * as recently used as the newest result that contains it. Held snapshots, and blobs and cache mounts that a
 * running build may have found, never go.
 */
import type { Digest } from '@tsbuild/core';
import type { CacheLimits, PrunedEntry } from '../api/types.js';
import { describe, isLayerSnapshot } from './entries.js';
import type { EntryFilter } from './entry-filter.js';
import type { InUse } from './in-use.js';
import type { Inventory } from './inventory.js';

type Described = Pick<PrunedEntry, 'type' | 'id' | 'description'>;

/** One thing that goes, with all that goes with it. */
export interface Removal extends Described {
  /** What it gives back. */
  bytes: number;
  tags: string[];
  /** Full paths of files. */
  files: string[];
  snapshots: string[];
  blobs: Digest[];
  /** Folder names of cache mounts. */
  mounts: string[];
  /** Full paths of files and folders. */
  leftovers: string[];
}

export interface PlanRequest {
  root: string;
  filter: EntryFilter;
  all: boolean;
  /** Bytes that the whole store may take; undefined: everything that may go goes. */
  limit: number | undefined;
  /** Milliseconds since the epoch. */
  now: number;
}

/**
 * Bytes that may stay, as BuildKit reckons it: no more than `maxUsedBytes`, less where `minFreeBytes` would not be free, but
 * never less than `keepBytes`.
 */
export function bytesToKeep(
  { maxUsedBytes, minFreeBytes, keepBytes }: CacheLimits,
  total: number,
  free: number,
): number | undefined {
  if (maxUsedBytes === undefined && minFreeBytes === undefined && keepBytes === undefined) return undefined;
  // With nothing but a floor, the floor is the aim.
  let limit = maxUsedBytes ?? (minFreeBytes === undefined ? 0 : Infinity);
  const lacking = (minFreeBytes ?? 0) - free;
  if (lacking > 0) limit = Math.min(limit, total - lacking);
  return Math.max(limit, keepBytes ?? 0);
}

interface Candidate extends Described {
  usedAt: number;
  /** Among those used at the same time: what depends on others comes before them. */
  rank: number;
  /** What would go now; undefined where it must stay. */
  remove(): Partial<Removal> | undefined;
}

export function planPrune(inventory: Inventory, inUse: InUse, request: PlanRequest): Removal[] {
  const { filter, limit, now } = request;
  const removals: Removal[] = [];
  let left = inventory.total;
  const add = (what: Described, parts: Partial<Removal>) => {
    const { type, id, description } = what;
    const none = { bytes: 0, tags: [], files: [], snapshots: [], blobs: [], mounts: [], leftovers: [] };
    removals.push({ ...none, type, id, description, ...parts });
    left -= parts.bytes ?? 0;
  };
  const { garbage, candidates } = findCandidates(inventory, inUse, request);
  for (const each of garbage) {
    const parts = filter.matches(each) ? each.remove() : undefined;
    if (parts) add(each, parts);
  }
  const cutoff = now - (filter.unusedForMs ?? 0);
  candidates.sort((a, b) => a.usedAt - b.usedAt || a.rank - b.rank);
  for (const each of candidates) {
    if (each.usedAt > cutoff || (limit !== undefined && left <= limit)) break;
    const parts = filter.matches(each) ? each.remove() : undefined;
    if (parts) add(each, parts);
  }
  return removals;
}

function findCandidates(
  inventory: Inventory,
  inUse: InUse,
  { root, all }: PlanRequest,
): { garbage: Candidate[]; candidates: Candidate[] } {
  const named = describe(inventory);
  const snapshots = new Users<string>();
  for (const { snapshots: ids, usedAt } of inventory.steps) snapshots.add(new Set(ids), usedAt);
  for (const { snapshot, usedAt } of inventory.downloads) snapshots.add([snapshot], usedAt);
  const blobs = new Users<Digest>();
  for (const { blobs: needed, usedAt } of [...inventory.names, ...inventory.images])
    blobs.add(needed, usedAt);

  const freeSnapshots = (ids: Iterable<string>) => {
    const gone = [...ids].filter((id) => inventory.snapshots.has(id) && !inUse.snapshots.has(id));
    return { snapshots: gone, bytes: gone.reduce((sum, id) => sum + bytesOf(inventory.snapshots, id), 0) };
  };
  const garbage: Candidate[] = [];
  const candidates: Candidate[] = [];

  for (const { path, bytes, usedAt } of inventory.temporary) {
    if (!isLeftover(root, path, usedAt, inUse)) continue;
    const remove = () => ({ bytes, leftovers: [path] });
    garbage.push({ ...named.temporary(root, path), usedAt, rank: 0, remove });
  }
  for (const [id, { usedAt: made }] of inventory.snapshots) {
    const usedAt = Math.max(made, snapshots.usedAt(id));
    const remove = () => {
      const parts = snapshots.has(id) ? undefined : freeSnapshots([id]);
      return parts && parts.snapshots.length > 0 ? parts : undefined;
    };
    const candidate = { ...named.snapshot(id), usedAt, rank: 4, remove };
    if (isLayerSnapshot(id)) candidates.push(candidate);
    else if (!snapshots.has(id)) garbage.push(candidate);
  }
  for (const step of inventory.steps) {
    const top = step.snapshots.at(-1) ?? '';
    if (inUse.snapshots.has(top)) continue;
    candidates.push({
      ...named.step(step),
      usedAt: Math.max(step.usedAt, snapshots.usedAt(top)),
      // More layers stand on fewer.
      rank: 1 - step.snapshots.length / 1e6,
      remove() {
        // Layers of images can be used again without a record, so they have a turn of their own.
        const freed = snapshots.release(new Set(step.snapshots)).filter((id) => !isLayerSnapshot(id));
        const parts = freeSnapshots(freed);
        return { ...parts, files: [step.path], bytes: step.bytes + parts.bytes };
      },
    });
  }
  for (const { path, bytes, usedAt, snapshot } of inventory.downloads) {
    candidates.push({
      ...named.snapshot(snapshot),
      id: path.slice(root.length + 1),
      usedAt,
      rank: 2,
      remove() {
        const parts = freeSnapshots(snapshots.release([snapshot]));
        return { ...parts, files: [path], bytes: bytes + parts.bytes };
      },
    });
  }
  for (const { path, bytes, usedAt, name, blobs: needed } of inventory.names) {
    const remove = () => {
      blobs.release(needed);
      return { files: [path], bytes };
    };
    candidates.push({ ...named.name(name), usedAt, rank: 2, remove });
  }
  for (const { name, digest, usedAt, blobs: needed } of all ? inventory.images : []) {
    const remove = () => {
      if (usedAt >= inUse.since) return undefined;
      blobs.release(needed);
      return { tags: [name] };
    };
    candidates.push({ type: 'image', id: digest, description: name, usedAt, rank: 3, remove });
  }
  const encodings = new Map<Digest | undefined, Inventory['encodings']>();
  for (const each of inventory.encodings)
    encodings.set(each.blob, [...(encodings.get(each.blob) ?? []), each]);
  for (const [digest, { bytes, usedAt: written }] of inventory.blobs) {
    const remove = () => {
      if (blobs.has(digest) || written >= inUse.since) return undefined;
      const files = encodings.get(digest) ?? [];
      const sum = files.reduce((total, file) => total + file.bytes, bytes);
      encodings.delete(digest);
      return { blobs: [digest], files: files.map(({ path }) => path), bytes: sum };
    };
    candidates.push({
      ...named.blob(digest),
      usedAt: Math.max(written, blobs.usedAt(digest)),
      rank: 5,
      remove,
    });
  }
  for (const [name, { bytes, usedAt }] of inventory.mounts) {
    const remove = () => (usedAt >= inUse.since ? undefined : { mounts: [name], bytes });
    candidates.push({ ...named.mount(name), usedAt, rank: 0, remove });
  }
  const stray = inventory.encodings.filter(({ blob }) => blob === undefined || !inventory.blobs.has(blob));
  for (const { path, bytes, usedAt } of [...inventory.memos, ...stray]) {
    const remove = () => ({ files: [path], bytes });
    candidates.push({ ...named.index(root, path), usedAt, rank: 0, remove });
  }
  return { garbage, candidates };
}

/** Nobody goes on with it: its lease is dead, or it is older than every process that could have begun it. */
function isLeftover(root: string, path: string, usedAt: number, inUse: InUse): boolean {
  const [top, name = ''] = path.slice(root.length + 1).split('/');
  if (top !== 'tmp') return usedAt < inUse.since;
  return inUse.dead.includes(name) || (!inUse.live.has(name) && inUse.live.size === 0);
}

function bytesOf<T>(items: ReadonlyMap<T, { bytes: number }>, key: T): number {
  return items.get(key)?.bytes ?? 0;
}

/** Counts who needs each thing, and when the last of them was used. */
class Users<T> {
  readonly #counts = new Map<T, number>();
  readonly #used = new Map<T, number>();

  add(items: Iterable<T>, usedAt: number): void {
    for (const item of items) {
      this.#counts.set(item, (this.#counts.get(item) ?? 0) + 1);
      this.#used.set(item, Math.max(this.#used.get(item) ?? 0, usedAt));
    }
  }

  has(item: T): boolean {
    return (this.#counts.get(item) ?? 0) > 0;
  }

  usedAt(item: T): number {
    return this.#used.get(item) ?? 0;
  }

  /** One user less for each; returns those without any. */
  release(items: Iterable<T>): T[] {
    const free: T[] = [];
    for (const item of items) {
      const left = (this.#counts.get(item) ?? 1) - 1;
      this.#counts.set(item, left);
      if (left === 0) free.push(item);
    }
    return free;
  }
}
