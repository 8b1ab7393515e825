/** Cache mounts, and what processes that are gone left behind. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { liveLeases } from '@tsbuild/executor';
import { tryLock } from '../lock.js';
import { gcLock } from '../open.js';
import type { Examination } from './finding.js';
import { ageMs, isFolder, namesIn, readText } from './index-files.js';

export function checkMounts({ store, checked, fault, leftover }: Examination): void {
  const parent = join(store.root, 'mounts');
  const empty = 'the next step that uses the cache begins with an empty one';
  for (const name of namesIn(parent)) {
    const path = join(parent, name);
    const repair = () => store.removeTree(join('mounts', name));
    checked.mounts++;
    if (!isFolder(path)) fault(path, 'this is no folder', empty, { repair });
    else if (!/^[0-9a-f]{64}(?:\.\d+)?$/.test(name))
      fault(path, 'no cache mount has this name', 'nothing uses it', { repair });
    else if (!fs.existsSync(join(path, 'fs'))) {
      if (ageMs(path) > 60_000) leftover(path, 'a cache that was never filled', { repair });
    } else if (!isFolder(join(path, 'fs'))) fault(path, 'its folder fs is none', empty, { repair });
    else if ((readText(join(path, 'id')) ?? '') === '') {
      const again = 'builds use it; du and prune cannot tell its id until then';
      fault(join(path, 'id'), 'the id is gone', again, {
        repair: () => fs.writeFileSync(join(path, 'id'), name),
      });
    }
  }
}

export function checkLeftovers(examination: Examination): void {
  const { store, leftover } = examination;
  const { root } = store;
  const { live, dead } = liveLeases(root);
  for (const name of dead) {
    const path = join(root, 'leases', name);
    leftover(path, 'the lease of a process that is gone', { repair: () => fs.rmSync(path, { force: true }) });
  }
  for (const name of namesIn(join(root, 'tmp'))) {
    if (live.includes(name) || (!dead.includes(name) && live.length > 0)) continue;
    const repair = () => store.removeTree(join('tmp', name));
    leftover(join(root, 'tmp', name), 'temporary files of a process that is gone', { repair });
  }
  for (const name of namesIn(join(root, 'oci/ingest'))) {
    if (live.length > 0) break;
    const path = join(root, 'oci/ingest', name);
    leftover(path, 'an unfinished blob', { repair: () => fs.rmSync(path, { force: true }) });
  }
  for (const name of namesIn(join(root, 'locks'))) {
    const path = join(root, 'locks', name);
    if (path === gcLock(root)) continue;
    const isHeld = () => {
      const lock = fs.existsSync(path) ? tryLock(path, 'shared') : undefined;
      lock?.release();
      return lock === undefined;
    };
    if (!isHeld()) {
      leftover(path, 'the lock file of a process that is gone', {
        repair: () => tryLock(path, 'exclusive')?.release(),
      });
    }
  }
  const known = ['version', 'oci', 'snapshots', 'cache', 'locks', 'leases', 'mounts', 'tmp'];
  for (const name of namesIn(root)) {
    if (known.includes(name)) continue;
    leftover(join(root, name), 'not of tsbuild; nothing uses it');
  }
}
