/**
 * Damage to each kind of file of a store: fsck finds it, and an ordinary build comes to the same image as before, by
 * running, packing or fetching again what was lost.
 */
import assert from 'node:assert/strict';
import { closeSync, fstatSync, openSync, readFileSync, readSync, truncateSync, writeSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { busyboxImage } from '../support/busybox.js';
import { Tsbuild } from '../support/command.js';
import { imageName, rootless, workFolder } from '../support/env.js';
import { writeTree } from '../support/files.js';
import { readLayout } from '../support/oci.js';
import { asOwner, copyStore, listStore } from '../support/store.js';

type Damage = 'truncated' | 'flipped' | 'deleted';

interface Kind {
  name: string;
  /** The file or folder, out of all paths of the store. */
  find(paths: string[], store: string): string | undefined;
  /** Damages that fsck may not find: what is gone without a trace is only made again. */
  unseen?: Damage[];
  /** Folders can only be deleted. */
  folder?: boolean;
}

const inFolder = (prefix: string) => (paths: string[]) => paths.find((path) => path.startsWith(prefix));

/** The blob of the base image's layer, or of a document. */
const blobOf = (test: (text: string, size: number) => boolean) => (paths: string[], store: string) =>
  paths.find((path) => {
    if (!path.startsWith('oci/blobs/sha256/')) return false;
    const content = readFileSync(join(store, path));
    return test(content.length < 8192 ? content.toString('latin1') : '', content.length);
  });

/** A snapshot of a step or of a download, by its id and the text of the records of steps. */
function snapshotThat(fits: (id: string, records: string) => boolean) {
  return (paths: string[], store: string) => {
    const records = paths
      .filter((path) => path.startsWith('cache/steps/'))
      .map((path) => readFileSync(join(store, path), 'utf8'))
      .join('\n');
    return paths.find((path) => /^snapshots\/s-[^/]+$/.test(path) && fits(path.slice(10), records));
  };
}

const isManifest = (text: string) => text.startsWith('{') && text.includes('"layers"');
const isConfig = (text: string) => text.startsWith('{') && text.includes('"rootfs"');

const kinds: Kind[] = [
  { name: 'version', find: inFolder('version') },
  { name: 'oci-layout', find: inFolder('oci/oci-layout'), unseen: ['deleted'] },
  { name: 'list of names', find: inFolder('oci/index.json'), unseen: ['flipped'] },
  { name: 'copy of the list of names', find: inFolder('oci/index.backup.json') },
  { name: 'blob of a base layer', find: blobOf((_, size) => size > 200_000 && size < 1_900_000) },
  {
    name: 'blob of a packed layer',
    find: blobOf((text) => text.includes('ustar') && text.includes('first')),
  },
  {
    name: 'manifest',
    find: blobOf((text) => isManifest(text) && text.split('"digest"').length > 4),
    unseen: ['deleted'],
  },
  { name: 'config', find: blobOf((text) => isConfig(text) && text.includes('COPY')), unseen: ['deleted'] },
  {
    name: 'manifest of the base',
    find: blobOf((text) => isManifest(text) && text.split('"digest"').length < 4),
    unseen: ['deleted'],
  },
  {
    name: 'config of the base',
    find: blobOf((text) => isConfig(text) && !text.includes('COPY')),
    unseen: ['deleted'],
  },
  { name: 'record of a step', find: inFolder('cache/steps/'), unseen: ['deleted'] },
  { name: 'record of a name', find: inFolder('cache/names/'), unseen: ['deleted'] },
  { name: 'record of a packed layer', find: inFolder('cache/layers/'), unseen: ['deleted'] },
  { name: 'record of a compressed layer', find: inFolder('cache/blobs/'), unseen: ['deleted'] },
  { name: 'digest of a stage', find: inFolder('cache/content/'), unseen: ['deleted'] },
  { name: 'stat cache', find: inFolder('cache/stat/'), unseen: ['deleted'] },
  { name: 'record of a download', find: inFolder('cache/http/'), unseen: ['deleted'] },
  {
    name: 'meta.json of a step',
    find: (paths) => paths.find((path) => /^snapshots\/s-.*meta\.json$/.test(path)),
  },
  {
    name: 'meta.json of a layer',
    find: (paths) => paths.find((path) => /^snapshots\/c-.*meta\.json$/.test(path)),
  },
  {
    name: 'manifest.json of a step',
    find: (paths) => paths.find((path) => /^snapshots\/s-.*manifest\.json$/.test(path)),
    unseen: ['deleted'],
  },
  {
    name: 'id of a cache mount',
    find: (paths) => paths.find((path) => /^mounts\/.*\/id$/.test(path)),
    unseen: ['flipped', 'truncated'],
  },
  {
    name: 'lock of a cache mount',
    find: (paths) => paths.find((path) => /^mounts\/.*\/lock$/.test(path)),
    folder: true,
    unseen: ['deleted'],
  },
  {
    name: 'content of a cache mount',
    find: (paths) => paths.find((path) => /^mounts\/[^/]+\/fs$/.test(path)),
    folder: true,
    unseen: ['deleted'],
  },
  {
    name: 'files of a step',
    find: (paths) => paths.find((path) => /^snapshots\/s-[^/]+\/fs$/.test(path)),
    folder: true,
  },
  {
    name: 'files of a layer',
    find: (paths) => paths.find((path) => /^snapshots\/c-[^/]+\/fs$/.test(path)),
    folder: true,
  },
  { name: 'a snapshot', find: snapshotThat((id, records) => records.includes(id)), folder: true },
  {
    name: 'a snapshot that no step has as its result',
    find: snapshotThat((id, records) => !records.includes(id)),
    folder: true,
    unseen: ['deleted'],
  },
  {
    name: 'a folder of the index',
    find: (paths) => paths.find((path) => path === 'cache/steps'),
    folder: true,
    unseen: ['deleted'],
  },
];

const all: Damage[] = ['truncated', 'flipped', 'deleted'];

/** Every damage to every kind takes minutes (TSBUILD_TEST_DAMAGE=all); else each kind has one, the two modes another. */
function damagesOf({ folder }: Kind, index: number): Damage[] {
  if (folder) return ['deleted'];
  if (process.env['TSBUILD_TEST_DAMAGE'] === 'all') return all;
  return all.slice((index + (rootless ? 1 : 0)) % 3).slice(0, 1);
}

describe('a damaged store', () => {
  let work: string;
  let server: Server;
  let whole: Tsbuild;
  let paths: string[];
  let expected: unknown;
  let context: string;

  /** Everything that tells one result from another. */
  const build = async (tsbuild: Tsbuild, layout: string) => {
    const outcome = await tsbuild.ok([
      ...['build', '--progress=plain', '--build-arg', 'SOURCE_DATE_EPOCH=1', '-t', 'damage:1'],
      ...['-o', 'type=image', '-o', `type=oci,tar=false,dest=${layout},rewrite-timestamp=true`, context],
    ]);
    const image = readLayout(layout);
    return {
      result: [image.manifest.layers, image.config.rootfs, image.config.config],
      stderr: outcome.stderr,
    };
  };

  before(async () => {
    work = workFolder('damage');
    server = createServer((_, response) => response.setHeader('etag', '"1"').end('downloaded\n')).listen(
      0,
      '127.0.0.1',
    );
    await new Promise((resolve) => server.once('listening', resolve));
    whole = new Tsbuild(join(work, 'whole'));
    const name = imageName('damage-base:1');
    const local = await busyboxImage(whole, work);
    await whole.ok(['tag', local, name]);
    await whole.ok(['push', name]);
    await whole.ok(['prune', '--all', '--force']);
    context = writeTree(join(work, 'context'), {
      file: 'a file\n',
      Dockerfile: `FROM ${name} AS first
RUN --mount=type=cache,id=damage,target=/cache echo x >> /cache/log; echo first > /first
ADD http://127.0.0.1:${(server.address() as AddressInfo).port}/download /download
FROM ${name}
COPY --from=first /first /download /
COPY file /file
RUN cat /first /download /file > /result
`,
    });
    expected = (await build(whole, join(work, 'expected'))).result;
    paths = await listStore(whole.root);
  });
  after(() => server.close());

  for (const [index, kind] of kinds.entries()) {
    const { name, find, unseen = [] } = kind;
    for (const damage of damagesOf(kind, index)) {
      test(`${name}, ${damage}`, async () => {
        const found = find(paths, whole.root);
        assert.ok(found !== undefined, `the store has no ${name}:\n${paths.join('\n')}`);
        const tsbuild = new Tsbuild(join(work, 'store'));
        await asOwner('rm', ['-rf', tsbuild.root]);
        await copyStore(whole.root, tsbuild.root);
        await inflict(damage, join(tsbuild.root, found));

        const check = await tsbuild.run(['fsck']);
        const text = `${check.stdout}${check.stderr}`;
        if (!unseen.includes(damage)) assert.equal(check.status, 1, text);
        const { result, stderr } = await build(tsbuild, join(work, 'layout'));
        assert.deepEqual(result, expected, stderr);
        // What this build did not need can still be broken.
        const repair = await tsbuild.run(['fsck', '--repair']);
        assert.equal(repair.status, 0, `${repair.stdout}${repair.stderr}`);
        if (!repair.stdout.includes('fault')) return;
        assert.match((await tsbuild.ok(['fsck'])).stdout, /^no fault; 0 leftovers/m);
        assert.deepEqual((await build(tsbuild, join(work, 'layout'))).result, expected);
      });
    }
  }
});

async function inflict(damage: Damage, path: string): Promise<void> {
  if (damage === 'deleted') {
    await asOwner('rm', ['-rf', path]);
    return;
  }
  const fd = openSync(path, 'r+');
  try {
    const { size } = fstatSync(fd);
    const middle = Math.floor(size / 2);
    if (damage === 'truncated') truncateSync(path, middle);
    else {
      const byte = Buffer.alloc(1);
      readSync(fd, byte, 0, 1, middle);
      // Stays a letter where it was one, so that what was text is text.
      writeSync(fd, Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, middle);
    }
  } finally {
    closeSync(fd);
  }
}
