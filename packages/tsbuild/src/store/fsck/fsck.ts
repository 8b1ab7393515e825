/**
 * `tsbuild fsck`: checks the whole store. While it looks it holds the gc lock as builds do, so that nothing is pruned from
 * under it; builds go on. Repairs are made with the lock held alone, each of them short, and only on what is still as
 * it was when it was checked.
 */
import type { FsckOptions, FsckResult } from '../../api/types.js';
import type { OperationContext } from '../../engine/context.js';
import { readInUse } from '../in-use.js';
import { acquireLock } from '../lock.js';
import { gcLock, openStore } from '../open.js';
import { checkBlobs, checkImages } from './blobs.js';
import { type Checked, type Examination, type Finding, identityOf } from './finding.js';
import { checkIndex, checkMarkers, checkNames } from './index-files.js';
import { checkLeftovers, checkMounts } from './leftovers.js';
import { checkSnapshots } from './snapshots.js';

type Options = Omit<FsckOptions, 'signal' | 'onEvent'>;

export async function fsck(options: Options, { emit, signal }: OperationContext): Promise<FsckResult> {
  const store = await openStore({
    root: options.root,
    warn: (message) => emit({ type: 'notice', message }),
    mend: false,
  });
  const findings: Finding[] = [];
  const broken = new Set<string>();
  const checked: Checked = {
    ...{ blobs: 0, blobBytes: 0, images: 0, snapshots: 0, snapshotsCompared: 0, snapshotsRead: 0 },
    ...{ records: 0, mounts: 0 },
  };
  const examination: Examination = {
    store,
    signal,
    checked,
    broken,
    fault(path, message, meaning, more = {}) {
      broken.add(path);
      findings.push({ severity: 'fault', path, message, meaning, ...more, seen: identityOf(path) });
    },
    leftover(path, message, more = {}) {
      const meaning = 'it only takes space; prune removes it, too';
      findings.push({ severity: 'leftover', path, message, meaning, ...more, seen: identityOf(path) });
    },
  };
  const looking = await acquireLock(gcLock(store.root), 'shared', signal);
  try {
    checkMarkers(examination);
    const names = await checkNames(examination);
    checkIndex(examination);
    await checkBlobs(examination);
    if (names) await checkImages(examination);
    await checkSnapshots(examination);
    checkMounts(examination);
    checkLeftovers(examination);
  } finally {
    looking.release();
  }
  const repaired = new Set<Finding>();
  if (options.repair && findings.length > 0) {
    const alone = await acquireLock(gcLock(store.root), 'exclusive', signal);
    try {
      for (const finding of findings) if (await repair(finding, store.root)) repaired.add(finding);
    } finally {
      alone.release();
    }
  }
  const told = findings.map(({ severity, path, message, meaning }, at) => ({
    ...{ severity, path, message, meaning },
    repaired: repaired.has(findings[at] as Finding),
  }));
  const faults = told.filter(({ severity }) => severity === 'fault');
  return { clean: faults.every((each) => each.repaired), checked, findings: told };
}

async function repair(finding: Finding, root: string): Promise<boolean> {
  if (finding.repair === undefined) return false;
  const { snapshots } = readInUse(root);
  if (finding.snapshots?.some((id) => snapshots.has(id))) return false;
  const now = identityOf(finding.path);
  // Something else took its place, or it went with what was repaired before.
  if (!finding.anyway && now !== finding.seen) return now === undefined;
  await finding.repair();
  return true;
}
