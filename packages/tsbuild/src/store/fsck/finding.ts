/** What fsck says, and how it is repaired. */
import { lstatSync } from 'node:fs';
import type { FsckFinding } from '../../api/types.js';
import type { Store } from '../open.js';

export interface Finding extends Omit<FsckFinding, 'repaired'> {
  /** Takes it out of the way, under the gc lock. Without it nothing can or need be done. */
  repair?: () => void | Promise<void>;
  /** Snapshots whose use by a live process forbids the repair. */
  snapshots?: readonly string[];
  /** The repair looks for itself what is to be done. */
  anyway?: boolean;
  /** What was seen at the path: the repair is left out where something else is there by then. */
  seen: string | undefined;
}

export interface Checked {
  blobs: number;
  blobBytes: number;
  images: number;
  snapshots: number;
  snapshotsCompared: number;
  snapshotsRead: number;
  records: number;
  mounts: number;
}

/** One check's surroundings. */
export interface Examination {
  store: Store;
  signal: AbortSignal;
  checked: Checked;
  fault(path: string, message: string, meaning: string, more?: Partial<Finding>): void;
  leftover(path: string, message: string, more?: Partial<Finding>): void;
  /** Paths with a fault. */
  broken: ReadonlySet<string>;
}

/** Tells a file that was replaced since from the one that was checked. */
export function identityOf(path: string): string | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false, bigint: true });
  return stat && `${stat.ino} ${stat.mtimeNs}`;
}
