/** Snapshots of root file systems; see snapshotter.ts for the contract. */
export type {
  ActiveSnapshot,
  DiffDraft,
  SandboxRootfs,
  SnapshotInfo,
  SnapshotView,
  Snapshotter,
} from './snapshotter.js';
export { openSnapshotter, probeOverlay } from './probe.js';
export type { SnapshotterOptions } from './probe.js';
export { randomSnapshotId } from './shelf.js';
