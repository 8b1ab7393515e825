/** Overlayfs and plain copies give the same image. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { busyboxImage } from '../support/busybox.js';
import { bin, rootless, workFolder } from '../support/env.js';
import { type Outcome, succeed, Tsbuild } from '../support/command.js';
import { writeTree } from '../support/files.js';
import { readLayout } from '../support/oci.js';

/** Every way in which a step can change what lies below it. */
const dockerfile = (base: string) => `FROM ${base}
RUN mkdir -p /d/sub /e && echo 1 > /d/one && echo 2 > /d/sub/two && echo 3 > /e/three && ln /e/three /e/hard
RUN rm /d/one && rm -r /d/sub && mkdir /d/sub && echo new > /d/sub/new && ln -s sub /d/link
RUN rm -r /e && echo file > /e && chmod 4750 /e && chown 12:34 /d/sub/new && mkfifo /pipe
RUN rm /e && mkdir /e && mv /d /f && touch -h /f/link && setfattr -n user.note -v x /f/sub/new 2>/dev/null; true
FROM ${base}
COPY --from=0 --chown=5:6 /f /f
COPY . /context/
RUN rm /context/own && ln /context/Dockerfile /context/twin
FROM ${base}
COPY --from=0 / /first
COPY --from=1 /context /second
RUN rm -r /first/f/sub /bin/vi
`;

/** Times apart, which differ from one run to the next. */
const reproducible = ['--build-arg', 'SOURCE_DATE_EPOCH=1'];

const exporter = (folder: string) => `type=oci,tar=false,dest=${folder},rewrite-timestamp=true`;

test('a build with copies instead of overlays gives the same image', async () => {
  const work = workFolder('snapshotters');
  const first = new Tsbuild(join(work, 'store-overlay'));
  const base = await busyboxImage(first, work);
  await first.ok(['save', '-o', join(work, 'base.tar'), base]);
  const second = new Tsbuild(join(work, 'store-copy'));
  await second.ok(['load', join(work, 'base.tar')]);
  const context = writeTree(join(work, 'context'), { own: 'own\n', Dockerfile: dockerfile(base) });
  const results = [];
  for (const [kind, tsbuild] of [
    ['overlay', first],
    ['copy', second],
  ] as const) {
    const layout = join(work, kind);
    await tsbuild.ok([
      'build',
      ...['--snapshotter', kind],
      ...reproducible,
      ...['-o', exporter(layout), context],
    ]);
    results.push(readLayout(layout));
  }
  assert.equal(results[0]?.manifest.layers.length, 4);
  assert.deepEqual(results[1], results[0]);
});

test('a store where overlayfs cannot work is used with copies, and says so', {
  skip: rootless && 'a user name space of its own cannot make another with the same ids',
}, async () => {
  const work = workFolder('no-overlay');
  const tsbuild = new Tsbuild(join(work, 'store'));
  const base = await busyboxImage(tsbuild, work);
  await tsbuild.ok(['save', '-o', join(work, 'base.tar'), base]);
  const context = writeTree(join(work, 'context'), { own: 'own\n', Dockerfile: dockerfile(base) });
  for (const name of ['low', 'up', 'work', 'mounted']) mkdirSync(join(work, name));
  // An overlay cannot be the upper layer of another one; the mount is gone with its mount name space.
  const script = `set -e
    mount -t overlay overlay -o lowerdir=low,upperdir=up,workdir=work mounted
    "$TSBUILD" load --root mounted/store base.tar
    "$TSBUILD" build --root mounted/store ${reproducible.join(' ')} -o ${exporter('copied')} context`;
  const copied: Outcome = await succeed('unshare', ['--mount', 'sh', '-c', script], {
    cwd: work,
    env: { ...process.env, TSBUILD: bin },
  });
  assert.match(copied.stderr, /overlayfs cannot be used in .*; files are copied instead/);
  await tsbuild.ok(['build', ...reproducible, '-o', exporter(join(work, 'overlaid')), context]);
  assert.deepEqual(readLayout(join(work, 'copied')), readLayout(join(work, 'overlaid')));
});
