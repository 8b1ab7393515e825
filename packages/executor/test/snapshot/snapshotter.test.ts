/** One suite for every snapshotter; a bug of one becomes a line here. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe as group, test } from 'node:test';
import * as native from '@tsbuild/native';
import type { SnapshotId } from '@tsbuild/solver';
import { openCopySnapshotter } from '../../src/snapshot/copy.js';
import { openOverlaySnapshotter } from '../../src/snapshot/overlay.js';
import { openSnapshotter, probeOverlay } from '../../src/snapshot/probe.js';
import type { Snapshotter } from '../../src/snapshot/snapshotter.js';
import { change, describe, inUserNamespace, isRoot, link, mkdir, remove, symlink, write } from './trees.js';

const C = native.constants;
const drivers = {
  overlay: (root: string) =>
    openOverlaySnapshotter({ root, tmp: `${root}/tmp/lease`, userxattr: inUserNamespace }),
  copy: (root: string) => openCopySnapshotter({ root, tmp: `${root}/tmp/lease`, userxattr: inUserNamespace }),
  'copy without device nodes': (root: string) =>
    openCopySnapshotter({ root, tmp: `${root}/tmp/lease`, userxattr: inUserNamespace, sideFileOnly: true }),
};
const parents = (...ids: string[]): SnapshotId[] => ids as SnapshotId[];

for (const [name, open] of Object.entries(drivers)) {
  group(`snapshotter: ${name}`, { skip: isRoot ? false : 'needs root' }, () => {
    let root: string;
    let snapshots: Snapshotter;

    before(() => {
      root = mkdtempSync(join(tmpdir(), 'tsbuild-snapshot-'));
      snapshots = open(root);
    });
    after(() => native.removeTree(native.AT_FDCWD, root));

    async function make(base: readonly SnapshotId[], work: (fd: number) => unknown): Promise<SnapshotId> {
      const active = await snapshots.prepare(base);
      await work(active.root());
      return await active.commit();
    }
    async function look(chain: readonly SnapshotId[], times = true): Promise<string[]> {
      const view = await snapshots.view(chain);
      try {
        return await describe(view.fd, times);
      } finally {
        await view.close();
      }
    }
    const paths = (lines: string[]): string[] => lines.map((line) => line.split(' ')[0] as string);

    test('an empty chain is an empty directory', async () => {
      assert.deepEqual(await look([]), []);
      const view = await snapshots.view([]);
      assert.equal(native.stat(view.fd, '').mode, C.S_IFDIR | 0o755);
      await view.close();
    });

    test('changes are seen by a later view and nothing else is', async () => {
      const base = await make([], (fd) => {
        write(fd, 'a', 'one');
        write(fd, 'd/b', 'two', 0o4755);
        write(fd, 'd/deep/c', 'three');
        symlink(fd, 'link', '/etc/passwd');
      });
      const top = await make([base], async (fd) => {
        write(fd, 'd/b', 'changed');
        await remove(fd, 'a');
        write(fd, 'd/new', 'new');
      });
      assert.deepEqual(paths(await look([base, top])), ['d', 'd/b', 'd/deep', 'd/deep/c', 'd/new', 'link']);
      assert.deepEqual(paths(await look([base])), ['a', 'd', 'd/b', 'd/deep', 'd/deep/c', 'link']);
      const diff = snapshots.openDiff(top);
      const recorded = native.readdir(diff.fd).map((entry) => entry.name.toString());
      diff.close();
      assert.ok(!recorded.includes('link'), 'an untouched entry is not in the diff');
    });

    test('a view is read-only for a program, and two of them are independent', async () => {
      const id = await make([], (fd) => write(fd, 'f', 'x'));
      const [one, two] = await Promise.all([snapshots.view([id]), snapshots.view([id])]);
      await one.close();
      assert.equal(native.stat(two.fd, 'f').size, 1);
      await two.close();
    });

    test('a directory that was removed and made again hides its old content', async () => {
      const base = await make([], (fd) => {
        write(fd, 'd/old', '');
        write(fd, 'd/both', 'old');
        write(fd, 'd/sub/x', '');
      });
      const top = await make([base], async (fd) => {
        await remove(fd, 'd');
        write(fd, 'd/both', 'new');
        mkdir(fd, 'd/sub');
      });
      assert.deepEqual(paths(await look([base, top])), ['d', 'd/both', 'd/sub']);
    });

    test('a file in place of a directory, and a directory in place of a file', async () => {
      const base = await make([], (fd) => {
        write(fd, 'dir/x', '');
        write(fd, 'file', '');
      });
      const top = await make([base], async (fd) => {
        await remove(fd, 'dir');
        await remove(fd, 'file');
        write(fd, 'dir', 'now a file');
        write(fd, 'file/x', '');
      });
      assert.deepEqual(paths(await look([base, top])), ['dir', 'file', 'file/x']);
      const last = await make([base, top], (fd) => remove(fd, 'file'));
      assert.deepEqual(paths(await look([base, top, last])), ['dir']);
    });

    test('owners, modes, times, attributes, links and devices stay', async () => {
      const base = await make([], (fd) => {
        write(fd, 'd/file', 'data', 0o6755);
        link(fd, 'd/file', 'hard');
        symlink(fd, 'soft', 'd');
        change(fd, 'd/file', (dirfd, name) => {
          native.chownat(dirfd, name, 1000, 1001);
          native.chmodat(dirfd, name, 0o6755);
          native.setXattr(dirfd, name, 'user.note', Buffer.from([0, 255]));
          native.utimesat(dirfd, name, 1n, 1_234_567_890_987_654_321n);
        });
        if (!inUserNamespace) native.mknodat(fd, 'null', C.S_IFCHR | 0o666, 1, 3);
        native.mknodat(fd, 'fifo', C.S_IFIFO | 0o600, 0, 0);
        native.mkdirat(fd, Buffer.from([0xff, 0x20, 0x61]), 0o700);
        native.chownat(fd, '', 5, 6);
        native.chmodat(fd, '', 0o711);
      });
      const seen = await look([base]);
      assert.equal(
        seen.find((line) => line.startsWith('d/file')),
        'd/file file 6755 1000:1001 4 3a6eb0790f39ac87 1234567890987654321 user.note=00ff',
      );
      assert.equal(seen.find((line) => line.startsWith('hard'))?.endsWith('= d/file user.note=00ff'), true);
      const top = await make([base], (fd) => write(fd, 'other', ''));
      assert.deepEqual(
        (await look([base, top])).filter((line) => !line.startsWith('other')),
        seen,
      );
      const view = await snapshots.view([base, top]);
      const stat = native.stat(view.fd, '');
      await view.close();
      assert.deepEqual([stat.uid, stat.gid, stat.mode & 0o7777], [5, 6, 0o711]);
    });

    test('metadata alone is a change', async () => {
      const base = await make([], (fd) => {
        write(fd, 'a', 'a');
        mkdir(fd, 'd');
      });
      const top = await make([base], (fd) => {
        native.chmodat(fd, 'a', 0o600);
        native.chownat(fd, 'd', 9, 9);
      });
      const lines = await look([base, top], false);
      assert.match(lines[0] as string, /^a file 600 0:0/);
      assert.match(lines[1] as string, /^d dir 755 9:9/);
    });

    test('a draft is a diff: whiteouts, opaque directories, any order of stacking', async () => {
      const base = await make([], (fd) => {
        write(fd, 'x', '');
        write(fd, 'd/a', '');
        write(fd, 'd/b', '');
        write(fd, 'e/f/g', '');
      });
      const draft = await snapshots.draft();
      draft.whiteout(draft.fd, Buffer.alloc(0), Buffer.from('x'));
      write(draft.fd, 'd/c', '');
      change(draft.fd, 'd/c', (fd) => draft.opaque(fd, Buffer.from('d')));
      mkdir(draft.fd, 'e');
      change(draft.fd, 'e/f', (fd) => draft.whiteout(fd, Buffer.from('e'), Buffer.from('f')));
      const id = await draft.commit('made-by-hand' as SnapshotId);
      assert.equal(id, 'made-by-hand');
      assert.deepEqual(paths(await look([base, id])), ['d', 'd/c', 'e']);
      const other = await make([], (fd) => write(fd, 'e/z', ''));
      assert.deepEqual(paths(await look([other, id])), ['d', 'd/c', 'e', 'e/z']);
    });

    test('the second of two that publish one id wins nothing', async () => {
      const [first, second] = await Promise.all([snapshots.prepare([]), snapshots.prepare([])]);
      write(first.root(), 'from', 'first');
      write(second.root(), 'from', 'second!');
      const id = 'same-id' as SnapshotId;
      assert.equal(await first.commit(id), id);
      assert.equal(await second.commit(id), id);
      const view = await snapshots.view([id]);
      assert.equal(native.stat(view.fd, 'from').size, 5);
      await view.close();
    });

    test('a missing parent and an id from outside are refused', async () => {
      await assert.rejects(snapshots.prepare(parents('nowhere')), { code: 'TSB_STORE_SNAPSHOT_MISSING' });
      await assert.rejects(snapshots.view(parents('../../etc')), { code: 'TSB_STORE_BAD_SNAPSHOT_ID' });
      assert.equal(snapshots.exists('nowhere' as SnapshotId), false);
    });

    test('what is damaged, of another boot or removed does not exist', async () => {
      const id = await make([], (fd) => write(fd, 'f', ''));
      const meta = `${root}/snapshots/${id}/meta.json`;
      const text = readFileSync(meta, 'utf8');
      assert.equal(snapshots.exists(id), true);
      writeFileSync(meta, text.slice(0, 20));
      assert.equal(snapshots.exists(id), false);
      writeFileSync(meta, text.replace(/"createdAt":\d/, '"createdAt":9'));
      assert.equal(snapshots.exists(id), false, 'the checksum does not fit');
      // Version 1 had no checksum.
      const earlier = { ...JSON.parse(text), version: 1, bootId: 'an-earlier-one' };
      writeFileSync(meta, JSON.stringify(earlier));
      assert.equal(snapshots.exists(id), false);
      writeFileSync(`${root}/snapshots/${id}/synced`, '');
      assert.equal(snapshots.exists(id), true);
      renameSync(`${root}/snapshots/${id}/fs`, `${root}/snapshots/${id}/elsewhere`);
      assert.equal(snapshots.exists(id), false, 'its files are gone');
      await snapshots.remove(id);
      await snapshots.remove(id);
      assert.equal(snapshots.exists(id), false);
    });

    test('sync marks what was published', async () => {
      const id = await make([], (fd) => write(fd, 'f', ''));
      await snapshots.sync();
      assert.equal(existsSync(`${root}/snapshots/${id}/synced`), true);
    });

    test('usage counts a hard-linked file once', async () => {
      const id = await make([], (fd) => {
        write(fd, 'f', Buffer.alloc(1 << 20, 1));
        link(fd, 'f', 'g');
      });
      const { bytes, files } = await snapshots.usage(id);
      assert.ok(bytes >= 1 << 20 && bytes < (1 << 20) + 65536, String(bytes));
      assert.ok(files >= 3);
      assert.ok(snapshots.list().some((info) => info.id === id && info.createdAt <= Date.now()));
    });

    test('discard and commit leave nothing behind', async () => {
      const active = await snapshots.prepare([]);
      write(active.root(), 'deep/down/f', '');
      await active.discard();
      await assert.rejects(active.commit());
      assert.throws(() => active.root());
      const draft = await snapshots.draft();
      await draft.discard();
      assert.deepEqual(
        readdirSync(`${root}/tmp/lease`).filter((entry) => entry !== 'empty'),
        [],
      );
    });

    test('a snapshot may come twice in a chain', async () => {
      const a = await make([], (fd) => write(fd, 'f', 'a'));
      const b = await make([], (fd) => write(fd, 'f', 'bb'));
      const view = await snapshots.view([a, b, a]);
      assert.equal(native.stat(view.fd, 'f').size, 1);
      await view.close();
    });

    test('60 snapshots stack', async () => {
      const chain: SnapshotId[] = [];
      for (let i = 0; i < 60; i++) {
        const draft = await snapshots.draft();
        write(draft.fd, `f${i}`, String(i));
        write(draft.fd, 'same', String(i));
        chain.push(await draft.commit());
      }
      const view = await snapshots.view(chain);
      assert.equal(native.readdir(view.fd).length, 61);
      await view.close();
      const top = await make(chain, (fd) => remove(fd, 'f0'));
      assert.equal((await look([...chain, top])).length, 60);
    });
  });
}

test('300 layers are one view', { skip: isRoot ? false : 'needs root' }, async () => {
  const root = mkdtempSync(join(tmpdir(), 'tsbuild-snapshot-'));
  try {
    const snapshots = drivers.overlay(root);
    const chain: SnapshotId[] = [];
    for (let i = 0; i < 300; i++) {
      const draft = await snapshots.draft();
      write(draft.fd, `f${i}`, String(i));
      chain.push(await draft.commit());
    }
    const active = await snapshots.prepare(chain);
    assert.equal(native.readdir(active.root()).length, 300);
    write(active.root(), 'more', '');
    chain.push(await active.commit());
    const view = await snapshots.view(chain);
    assert.equal(native.readdir(view.fd).length, 301);
    await view.close();
  } finally {
    await native.removeTree(native.AT_FDCWD, root);
  }
});

test('the probe takes overlay where it works and says why not where it does not', {
  skip: isRoot ? false : 'needs root',
}, async () => {
  const root = mkdtempSync(join(tmpdir(), 'tsbuild-snapshot-'));
  try {
    mkdirSync(`${root}/tmp`);
    const notices: string[] = [];
    const options = {
      root,
      tmp: `${root}/tmp/a`,
      userxattr: inUserNamespace,
      notice: (text: string) => notices.push(text),
    };
    assert.equal(probeOverlay(`${root}/tmp`, inUserNamespace), undefined);
    assert.equal(openSnapshotter(options).kind, 'overlay');
    assert.equal(openSnapshotter({ ...options, kind: 'copy' }).kind, 'copy');
    assert.deepEqual(notices, []);
    assert.deepEqual(readdirSync(`${root}/tmp`), ['a']);
    // A file system that cannot hold an upper directory: an overlay on an overlay's root.
    const snapshots = openSnapshotter(options);
    const active = await snapshots.prepare([]);
    const inside = `/proc/self/fd/${active.root()}`;
    const second = openSnapshotter({ ...options, root: inside, tmp: `${inside}/tmp` });
    assert.equal(second.kind, 'copy');
    assert.match(notices.join(), /overlayfs cannot be used in .* files are copied instead/);
    assert.throws(
      () => openSnapshotter({ ...options, root: inside, tmp: `${inside}/tmp`, kind: 'overlay' }),
      {
        code: 'TSB_HOST_OVERLAY',
      },
    );
    await active.discard();
  } finally {
    await native.removeTree(native.AT_FDCWD, root);
  }
});
