/** meta.json of a snapshot: what makes it usable, and since which boot its data may be lost. */
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, writeFileSync } from 'node:fs';

export interface SnapshotMeta {
  /** 1 had no checksum. */
  version: 1 | 2;
  /** Milliseconds since the epoch. */
  createdAt: number;
  /** The overlay attributes are user.overlay.*, not trusted.overlay.*. */
  userxattr: boolean;
  /** There is a whiteouts.json: an overlay cannot use this diff. */
  sideFile: boolean;
  /** Kernel's random id of the boot in which it was made. */
  bootId: string;
}

/** Created beside meta.json once the data is on the device. */
export const syncedMark = 'synced';

let knownBootId: string | undefined;

export function bootId(): string {
  knownBootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return knownBootId;
}

export function writeMeta(folder: string, facts: Pick<SnapshotMeta, 'userxattr' | 'sideFile'>): void {
  const meta: SnapshotMeta = { version: 2, createdAt: Date.now(), ...facts, bootId: bootId() };
  writeFileSync(`${folder}/meta.json`, JSON.stringify({ ...meta, sum: checksum(meta) }), { flag: 'wx' });
}

/** Undefined for anything but a record that can be used. */
export function readMeta(folder: string): SnapshotMeta | undefined {
  try {
    const { sum, ...meta } = JSON.parse(readFileSync(`${folder}/meta.json`, 'utf8')) as SnapshotMeta & {
      sum?: string;
    };
    if (meta.version === 2 ? sum !== checksum(meta) : meta.version !== 1) return undefined;
    return Number.isFinite(meta.createdAt) ? meta : undefined;
  } catch {
    return undefined;
  }
}

function checksum(meta: SnapshotMeta): string {
  return createHash('sha256').update(JSON.stringify(meta)).digest('hex');
}

/** A snapshot that was removed meanwhile is passed over. On a full disk it goes without: it is a miss after a reboot. */
export function markSynced(folder: string): void {
  try {
    const fd = openSync(`${folder}/${syncedMark}`, 'w');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (!['ENOENT', 'ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
