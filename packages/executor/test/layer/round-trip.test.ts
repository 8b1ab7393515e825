/** pack and unpack are inverse on any tree, and GNU tar reads the same tree out of our archives. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import * as native from '@tsbuild/native';
import type { SnapshotId } from '@tsbuild/solver';
import { packRootfs } from '../../src/layer/index.js';
import { describe, inUserNamespace, isRoot } from '../snapshot/trees.js';
import { collect, drivers, newStore, type Store } from './tars.js';

const C = native.constants;

/** One change of a tree; what cannot be done (a name taken, a parent missing) is passed over. */
type Change =
  | { do: 'file'; at: string[]; size: number; mode: number; uid: number; time: number }
  | { do: 'dir'; at: string[]; mode: number }
  | { do: 'link'; at: string[]; target: string }
  | { do: 'hard'; at: string[]; to: string[] }
  | { do: 'node'; at: string[] }
  | { do: 'capability'; at: string[] }
  | { do: 'chmod'; at: string[]; mode: number }
  | { do: 'remove'; at: string[] };

const name = fc.constantFrom('a', 'b', 'c', 'd.x', 'ü', '\xff\xfe', 'n'.repeat(101), ' ', 'zz');
const at = fc.array(name, { minLength: 1, maxLength: 4 });
const mode = fc.constantFrom(0o644, 0o755, 0o4755, 0o1777, 0o600, 0);
const change: fc.Arbitrary<Change> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('file' as const),
      at,
      size: fc.constantFrom(0, 1, 511, 512, 513, 70_000),
      mode,
      uid: fc.constantFrom(0, 1000, inUserNamespace ? 65_000 : 3_000_000),
      time: fc.integer({ min: -1000, max: 2 ** 31 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('dir' as const), at, mode }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('link' as const),
      at,
      target: fc.constantFrom('a', '../b', '/etc/passwd', 't'.repeat(130)),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('hard' as const), at, to: at }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('node' as const), at }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('capability' as const), at }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('chmod' as const), at, mode }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), at }) },
);

const bytes = (text: string): Buffer =>
  text === '\xff\xfe' ? Buffer.from(text, 'latin1') : Buffer.from(text);
const expected = new Set([
  'ENOENT',
  'ENOTDIR',
  'EEXIST',
  'ELOOP',
  'EPERM',
  'EISDIR',
  'ENOTSUP',
  'EXDEV',
  'ENXIO',
]);
const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');

async function apply(root: number, change: Change): Promise<void> {
  const opened: number[] = [];
  const folder = (path: string[]): number =>
    path.slice(0, -1).reduce((fd, part) => {
      opened.push(native.openat2(fd, bytes(part), C.O_RDONLY | C.O_DIRECTORY | C.O_NOFOLLOW, 0, 0));
      return opened.at(-1) as number;
    }, root);
  try {
    const fd = folder(change.at);
    const last = bytes(change.at.at(-1) as string);
    if (change.do === 'file') {
      const file = native.openat2(
        fd,
        last,
        C.O_WRONLY | C.O_CREAT | C.O_NOFOLLOW | C.O_TRUNC | C.O_NONBLOCK,
        0o644,
        0,
      );
      opened.push(file);
      writeFileSync(file, Buffer.alloc(change.size, change.time & 0xff));
      native.chownat(fd, last, change.uid, 5);
      native.chmodat(fd, last, change.mode);
      native.utimesat(fd, last, 0n, BigInt(change.time) * 1_000_000_000n);
    } else if (change.do === 'dir') {
      native.mkdirat(fd, last, 0o755);
      native.chmodat(fd, last, change.mode);
    } else if (change.do === 'link') {
      native.symlinkat(change.target, fd, last);
      native.utimesat(fd, last, 0n, 7_000_000_000n);
    } else if (change.do === 'hard') {
      native.linkat(fd, last, folder(change.to), bytes(change.to.at(-1) as string));
    } else if (change.do === 'node') {
      native.mknodat(fd, last, C.S_IFBLK | 0o640, 4000, 300);
      native.utimesat(fd, last, 0n, 0n);
    } else if (change.do === 'capability') {
      native.setXattr(fd, last, 'security.capability', capability);
    } else if (change.do === 'chmod') {
      native.chmodat(fd, last, change.mode);
    } else {
      await native.removeTree(fd, last);
    }
  } catch (error) {
    if (!expected.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
  } finally {
    for (const fd of opened) native.close(fd);
  }
}

for (const driver of Object.keys(drivers) as (keyof typeof drivers)[]) {
  test(`three layers of any changes survive packing and unpacking: ${driver}`, {
    skip: isRoot ? false : 'needs root',
  }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(change, { maxLength: 14 }), { minLength: 1, maxLength: 3 }),
        async (layers) => {
          const store = newStore(driver);
          try {
            await check(store, layers);
          } finally {
            await store.remove();
          }
        },
      ),
      { numRuns: driver === 'overlay' ? 60 : 25, seed: 20 },
    );
  });
}

async function check(store: Store, layers: Change[][]): Promise<void> {
  const ids: SnapshotId[] = [];
  for (const changes of layers) {
    const active = await store.snapshotter.prepare(ids);
    for (const change of changes) await apply(active.root(), change);
    ids.push(await active.commit());
  }
  const tars = [];
  for (const index of ids.keys()) tars.push(await store.pack(ids, index));
  const copies = await store.chain(...tars);
  assert.deepEqual(await store.look(copies), await store.look(ids));
  for (const [index, tar] of tars.entries()) {
    const again = await store.pack(copies, index);
    assert.ok(again.equals(tar), `layer ${index} is packed differently from its copy`);
  }
}

let dir: string;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsbuild-gnutar-'));
});
after(() => native.removeTree(native.AT_FDCWD, dir));

test('GNU tar reads the same tree out of a whole root file system', {
  skip: isRoot ? false : 'needs root',
}, async () => {
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(change, { maxLength: 14 }), { minLength: 2, maxLength: 2 }),
      async (layers) => {
        const store = newStore('overlay');
        try {
          const ids: SnapshotId[] = [];
          for (const changes of layers) {
            const active = await store.snapshotter.prepare(ids);
            for (const change of changes) await apply(active.root(), change);
            ids.push(await active.commit());
          }
          const tar = await collect(packRootfs(store.snapshotter, ids));
          const out = `${dir}/${runs++}`;
          mkdirSync(out);
          execFileSync('tar', ['-C', out, '--xattrs', '--xattrs-include=*', '--numeric-owner', '-xpf', '-'], {
            input: tar,
          });
          const fd = native.openat2(native.AT_FDCWD, out, C.O_RDONLY | C.O_DIRECTORY, 0, 0);
          try {
            assert.deepEqual(await describe(fd), await store.look(ids));
          } finally {
            native.close(fd);
          }
        } finally {
          await store.remove();
        }
      },
    ),
    { numRuns: 15, seed: 21 },
  );
});

test('a tree deeper than any path or call stack is packed', {
  skip: isRoot ? false : 'needs root',
}, async () => {
  const store = newStore('overlay');
  try {
    const draft = await store.snapshotter.draft();
    let fd = native.openat2(draft.fd, '.', C.O_PATH | C.O_DIRECTORY, 0, 0);
    for (let depth = 0; depth < 3000; depth++) {
      native.mkdirat(fd, 'd', 0o755);
      const next = native.openat2(fd, 'd', C.O_PATH | C.O_DIRECTORY, 0, 0);
      native.close(fd);
      fd = next;
    }
    native.close(fd);
    const tar = await store.pack([await draft.commit()], 0);
    assert.ok(tar.includes(Buffer.from('d/'.repeat(3000))));
  } finally {
    await store.remove();
  }
});
