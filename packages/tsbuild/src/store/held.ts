/** Snapshots that live builds hold. For a decision, call it with the gc lock held exclusively. */
import { liveLeases } from '@tsbuild/executor';

export function heldSnapshots(root: string): ReadonlySet<string> {
  return liveLeases(root).snapshots;
}
