/** A store, and a context with a static busybox, for tests that build through the library. */
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { prune } from '../../src/index.js';

const busybox = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path));
const engine = fileURLToPath(new URL('../../src/engine/main.js', import.meta.url));

/** Reason to skip, or false. */
export const missing: string | false =
  busybox === undefined ? 'busybox-static is not installed' : existsSync(engine) ? false : 'not compiled';

export interface Fixture {
  /** Holds all that follows. */
  folder: string;
  root: string;
  /** Has `busybox` and nothing else. */
  context: string;
  remove(): Promise<void>;
}

export function createFixture(): Fixture {
  const folder = mkdtempSync(join(tmpdir(), 'tsbuild-api-'));
  const context = join(folder, 'context');
  const root = join(folder, 'store');
  mkdirSync(context);
  if (busybox !== undefined) {
    copyFileSync(busybox, join(context, 'busybox'));
    chmodSync(join(context, 'busybox'), 0o755);
  }
  return {
    folder,
    root,
    context,
    async remove() {
      // Files of a rootless store belong to subordinate ids, which only an engine can remove.
      if (existsSync(root)) await prune({ root, all: true });
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A Dockerfile whose RUN steps have a shell. */
export const shell = (...lines: string[]): string =>
  ['FROM scratch', 'COPY busybox /bin/busybox', 'COPY busybox /bin/sh', ...lines, ''].join('\n');

/** What a call has left behind in a store: temporary files, leases, half-written blobs. */
export function leftovers(root: string): string[] {
  return ['tmp', 'leases', 'oci/ingest'].flatMap((name) =>
    existsSync(join(root, name)) ? readdirSync(join(root, name)).map((entry) => `${name}/${entry}`) : [],
  );
}

/** Command lines of live processes that contain the word. */
export function processesWith(word: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return '';
      }
    })
    .filter((line) => line.includes(word));
}
