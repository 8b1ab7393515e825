/**
 * Hostile contexts, archives, images and steps, through each entrance of the program. Outside of everything a build may touch
 * lies a trip wire: a folder whose bytes must not get into an image, and in which nothing may be read or changed.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { before, describe, test } from 'node:test';
import { busyboxImage } from '../support/busybox.js';
import { succeed, Tsbuild } from '../support/command.js';
import { bin, workFolder } from '../support/env.js';
import { writeTree } from '../support/files.js';
import { packTar, type TarEntry } from '../support/tar.js';

const wire = 'TRIP-WIRE';
/** Seconds; nothing here takes long, and nothing may wait for ever. */
const limit = 120;

let work: string;
/** Everybody may write here, so that it is not the system's permissions that save us. */
let outside: string;
let tsbuild: Tsbuild;
let busybox: string;
let helper: string;
let untouched: string[];

before(async () => {
  work = workFolder('hostile');
  outside = join(work, 'outside');
  mkdirSync(join(outside, 'sub'), { recursive: true });
  writeFileSync(join(outside, 'secret'), wire);
  writeFileSync(join(outside, 'sub/secret'), wire);
  writeFileSync(join(outside, 'passwd'), `outsider:x:4242:4242:${wire}:/:/bin/sh\n`);
  for (const path of ['', 'sub', 'secret', 'sub/secret', 'passwd']) chmodSync(join(outside, path), 0o777);
  tsbuild = new Tsbuild(join(work, 'store'));
  busybox = await busyboxImage(tsbuild, work);
  helper = join(dirname(bin), '../../../native/build/tsbuild-helper');
  untouched = describeOutside();
});

/** Every name with its mode, times and content, and the program that every step is started by. */
function describeOutside(): string[] {
  const names = readdirSync(outside, { recursive: true, encoding: 'utf8' }).sort();
  const lines = ['', ...names].map((name) => {
    const { mode, uid, mtimeMs, ctimeMs } = lstatSync(join(outside, name));
    return [name, mode, uid, mtimeMs, ctimeMs].join(' ');
  });
  const digest = createHash('sha256').update(readFileSync(helper)).digest('hex');
  return [...lines, existsSync(helper) ? digest : 'no helper'];
}

interface Case {
  what: string;
  /** `BASE` and `OUTSIDE` are filled in. */
  dockerfile: string;
  files?: Record<string, string>;
  links?: Record<string, string>;
  /** Entries of an archive in the context, evil.tar, or of the context itself. */
  tar?: TarEntry[];
  contextIsTar?: boolean;
  args?: string[];
  /** What the build says when it fails; undefined where it succeeds. */
  fails?: RegExp;
  /** Files of the image with their content. */
  has?: Record<string, string>;
}

let count = 0;
async function attempt({ what, dockerfile, fails, has, ...given }: Case): Promise<void> {
  const fill = (text: string) => text.replaceAll('OUTSIDE', outside).replaceAll('BASE', busybox);
  const folder = join(work, `case-${++count}`);
  const context = writeTree(join(folder, 'context'), { Dockerfile: fill(dockerfile), ...given.files });
  for (const [name, target] of Object.entries(given.links ?? {})) {
    mkdirSync(dirname(join(context, name)), { recursive: true });
    symlinkSync(fill(target), join(context, name));
  }
  const entries = given.tar?.map((entry) => ({
    ...entry,
    name: fill(entry.name),
    ...(entry.link === undefined ? {} : { link: fill(entry.link) }),
  }));
  if (entries && !given.contextIsTar) writeFileSync(join(context, 'evil.tar'), packTar(entries));
  const out = join(folder, 'image.tar');
  const input =
    entries && given.contextIsTar
      ? packTar([{ name: 'Dockerfile', data: fill(dockerfile) }, ...entries])
      : '';
  const outcome = await tsbuild.run(
    [
      'build',
      ...['--progress', 'plain', '--output', `type=tar,dest=${out}`],
      ...(given.args ?? []).map(fill),
      given.contextIsTar ? '-' : context,
    ],
    { limit, input },
  );
  assert.equal(outcome.signal, null, `${what} took too long`);
  assert.deepEqual(describeOutside(), untouched);
  assert.ok(!outcome.stderr.includes(wire), outcome.stderr);
  if (fails) {
    assert.notEqual(outcome.status, 0, 'it should have failed');
    assert.match(outcome.stderr, fails);
    return;
  }
  assert.equal(outcome.status, 0, outcome.stderr);
  const unpacked = join(folder, 'unpacked');
  mkdirSync(unpacked);
  await succeed('tar', [
    '-C',
    unpacked,
    '--no-same-owner',
    '-xf',
    out,
    ...['--exclude', 'bin/*', '--exclude', './bin/*'],
  ]);
  assert.ok(!readFileSync(out).includes(wire), 'the image has the wire');
  for (const [path, content] of Object.entries(has ?? {})) {
    assert.equal(readFileSync(join(unpacked, path), 'utf8'), content, path);
  }
}

function table(title: string, cases: Case[]): void {
  describe(title, () => {
    for (const each of cases) test(each.what, () => attempt(each));
  });
}

table('links of a context folder', [
  {
    what: 'COPY of a link to an absolute path',
    fails: /"\/l": not found/,
    dockerfile: 'FROM scratch\nCOPY l /x',
    links: { l: 'OUTSIDE/secret' },
  },
  {
    what: 'COPY of a link that climbs',
    fails: /"\/l": not found/,
    dockerfile: 'FROM scratch\nCOPY l /x',
    links: { l: '../../outside/secret' },
  },
  {
    what: 'COPY through a link',
    fails: /"\/l\/secret": not found/,
    dockerfile: 'FROM scratch\nCOPY l/secret /x',
    links: { l: 'OUTSIDE' },
  },
  {
    what: 'COPY through a chain',
    fails: /"\/a\/secret": not found/,
    dockerfile: 'FROM scratch\nCOPY a/secret /x',
    links: { a: 'b', b: 'd/c', 'd/c': '../../../outside' },
  },
  {
    what: 'COPY through /proc',
    fails: /not found/,
    dockerfile: 'FROM scratch\nCOPY l/secret /x',
    links: { l: '/proc/self/rootOUTSIDE' },
  },
  {
    what: 'COPY of names that match through a link',
    dockerfile: 'FROM scratch\nCOPY l/s* /x/',
    links: { l: 'OUTSIDE' },
  },
  {
    what: 'COPY --parents through a link',
    fails: /"\/l\/secret": not found/,
    dockerfile: 'FROM scratch\nCOPY --parents l/./secret /x/',
    links: { l: 'OUTSIDE' },
  },
  {
    what: 'ADD of an archive through a link',
    fails: /"\/l": not found/,
    dockerfile: 'FROM scratch\nADD l /x/',
    links: { l: 'OUTSIDE/secret' },
  },
  {
    what: 'a bind mount of a link',
    fails: /"\/l": not found/,
    dockerfile: 'FROM BASE\nRUN --mount=type=bind,source=l,target=/m cat /m/secret',
    links: { l: 'OUTSIDE' },
  },
  {
    what: 'an ignore file that is a link',
    dockerfile: 'FROM scratch\nCOPY f /f',
    files: { f: 'f' },
    links: { '.dockerignore': 'OUTSIDE/secret' },
  },
  {
    what: 'the whole of it is copied as links',
    dockerfile: 'FROM scratch\nCOPY . /x/',
    links: { l: 'OUTSIDE/secret', d: 'OUTSIDE' },
  },
]);

table('archives', [
  {
    what: 'a name that climbs',
    fails: /an entry outside of it: "..\/..\/outside\/new"/,
    dockerfile: 'FROM scratch\nADD evil.tar /x/',
    tar: [{ name: '../../outside/new', data: 'x' }],
  },
  {
    what: 'an absolute name',
    dockerfile: 'FROM scratch\nADD evil.tar /x/',
    tar: [{ name: 'OUTSIDE/new', data: 'x' }],
  },
  {
    what: 'a file through a link',
    dockerfile: 'FROM scratch\nADD evil.tar /x/',
    tar: [
      { name: 'l', type: '2', link: 'OUTSIDE' },
      { name: 'l/new', data: 'x' },
    ],
  },
  {
    what: 'a file over a link',
    dockerfile: 'FROM scratch\nADD evil.tar /x/',
    tar: [
      { name: 'l', type: '2', link: 'OUTSIDE/secret' },
      { name: 'l', data: 'x' },
    ],
  },
  {
    what: 'a hard link to a path outside',
    fails: /no such file or directory/,
    dockerfile: 'FROM scratch\nADD evil.tar /x/',
    tar: [{ name: 'h', type: '1', link: 'OUTSIDE/secret' }],
  },
  {
    what: 'a hard link that climbs',
    fails: /a hard link to a file outside of it/,
    dockerfile: 'FROM scratch\nADD evil.tar /x/',
    tar: [{ name: 'h', type: '1', link: '../../outside/secret' }],
  },
  {
    what: 'a hard link through a link',
    fails: /no such file or directory/,
    dockerfile: 'FROM scratch\nADD evil.tar /x/',
    tar: [
      { name: 'l', type: '2', link: 'OUTSIDE' },
      { name: 'h', type: '1', link: 'l/secret' },
    ],
  },
  {
    what: 'the root as a link',
    dockerfile: 'FROM scratch\nADD evil.tar /x/',
    tar: [
      { name: '.', type: '2', link: 'OUTSIDE' },
      { name: 'new', data: 'x' },
    ],
  },
  {
    what: 'a whiteout through a link',
    fails: /cannot be part of a layer/,
    dockerfile: 'FROM scratch\nADD evil.tar /x/',
    tar: [{ name: 'l', type: '2', link: 'OUTSIDE' }, { name: 'l/.wh.secret' }],
  },
  {
    what: 'a folder’s mode through a link',
    dockerfile: 'FROM scratch\nADD evil.tar /x/',
    tar: [
      { name: 'l', type: '2', link: 'OUTSIDE' },
      { name: 'l/', type: '5', mode: 0o700 },
    ],
  },
  {
    what: 'a destination that is a link of the image',
    dockerfile: 'FROM BASE\nRUN ln -s OUTSIDE /x\nADD evil.tar /x/',
    tar: [{ name: 'new', data: 'x' }],
  },
]);

table('contexts that are archives', [
  {
    what: 'a name that climbs',
    fails: /an entry outside of it: "..\/..\/outside\/new"/,
    contextIsTar: true,
    dockerfile: 'FROM scratch\nCOPY . /x/',
    tar: [{ name: '../../outside/new', data: 'x' }],
  },
  {
    what: 'an absolute name',
    contextIsTar: true,
    dockerfile: 'FROM scratch\nCOPY . /x/',
    tar: [{ name: 'OUTSIDE/new', data: 'x' }],
  },
  {
    what: 'a file through a link',
    contextIsTar: true,
    dockerfile: 'FROM scratch\nCOPY . /x/',
    tar: [
      { name: 'l', type: '2', link: 'OUTSIDE' },
      { name: 'l/new', data: 'x' },
    ],
  },
  {
    what: 'a hard link to a path outside',
    fails: /no such file or directory/,
    contextIsTar: true,
    dockerfile: 'FROM scratch\nCOPY . /x/',
    tar: [{ name: 'h', type: '1', link: 'OUTSIDE/secret' }],
  },
  {
    what: 'the Dockerfile as a link',
    fails: /a link that leads to nothing in its folder/,
    contextIsTar: true,
    dockerfile: 'FROM scratch',
    tar: [{ name: 'Dockerfile', type: '2', link: 'OUTSIDE/secret' }],
  },
  {
    what: 'the Dockerfile as a fifo',
    fails: /it is no regular file/,
    contextIsTar: true,
    dockerfile: 'FROM scratch',
    tar: [{ name: 'Dockerfile', type: '6' }],
  },
  {
    what: '-f that climbs',
    fails: /it does not exist/,
    contextIsTar: true,
    dockerfile: 'FROM scratch',
    tar: [],
    args: ['-f', '../../outside/secret'],
  },
  {
    what: '-f through a link',
    fails: /it does not exist/,
    contextIsTar: true,
    dockerfile: 'FROM scratch',
    tar: [{ name: 'l', type: '2', link: 'OUTSIDE' }],
    args: ['-f', 'l/secret'],
  },
  {
    what: 'COPY through a link',
    fails: /"\/l\/secret": not found/,
    contextIsTar: true,
    dockerfile: 'FROM scratch\nCOPY l/secret /x',
    tar: [{ name: 'l', type: '2', link: 'OUTSIDE' }],
  },
]);

table('links of an image', [
  {
    what: 'COPY to a link',
    dockerfile: 'FROM BASE\nRUN ln -s OUTSIDE/secret /l\nCOPY f /l',
    files: { f: 'f' },
  },
  {
    what: 'COPY through a link',
    dockerfile: 'FROM BASE\nRUN ln -s OUTSIDE /l\nCOPY f /l/new',
    files: { f: 'f' },
  },
  {
    what: 'COPY through a link that climbs',
    dockerfile: 'FROM BASE\nRUN ln -s ../../../../../..OUTSIDE /l\nCOPY f /l/new',
    files: { f: 'f' },
  },
  {
    what: 'COPY through /proc',
    dockerfile: 'FROM BASE\nCOPY f /proc/self/rootOUTSIDE/new',
    files: { f: 'f' },
  },
  {
    what: 'COPY --link through a link',
    dockerfile: 'FROM BASE\nRUN ln -s OUTSIDE /l\nCOPY --link f /l/new',
    files: { f: 'f' },
  },
  {
    what: 'COPY --from of a link',
    fails: /"\/l": not found/,
    dockerfile: 'FROM BASE AS a\nRUN ln -s OUTSIDE/secret /l\nFROM BASE\nCOPY --from=a /l /x',
  },
  {
    what: 'COPY --from through a link',
    fails: /"\/l\/secret": not found/,
    dockerfile: 'FROM BASE AS a\nRUN ln -s OUTSIDE /l\nFROM BASE\nCOPY --from=a /l/secret /x',
  },
  {
    what: 'COPY --from through /proc',
    fails: /not found/,
    dockerfile: 'FROM BASE AS a\nRUN true\nFROM BASE\nCOPY --from=a /proc/self/rootOUTSIDE/secret /x',
  },
  {
    what: 'a heredoc to a link',
    dockerfile: 'FROM BASE\nRUN ln -s OUTSIDE/secret /l\nCOPY <<EOF /l\nx\nEOF',
  },
  { what: 'WORKDIR through a link', dockerfile: 'FROM BASE\nRUN ln -s OUTSIDE /l\nWORKDIR /l/new\nRUN pwd' },
  {
    what: 'WORKDIR in /proc',
    fails: /exit code: 1/,
    dockerfile: 'FROM BASE\nWORKDIR /proc/self/rootOUTSIDE/new\nRUN pwd',
  },
  { what: 'WORKDIR of another process', dockerfile: 'FROM BASE\nWORKDIR /proc/1/cwd\nRUN ls; pwd' },
  {
    what: 'an owner from a linked passwd',
    dockerfile: 'FROM BASE\nRUN ln -s OUTSIDE/passwd /etc/passwd\nCOPY --chown=outsider f /f',
    files: { f: 'f' },
  },
  {
    what: 'a user from a linked passwd',
    fails: /unable to find user/,
    dockerfile: 'FROM BASE\nRUN ln -s OUTSIDE/passwd /etc/passwd\nUSER nobody\nRUN true',
  },
  {
    what: 'a passwd that is a fifo',
    fails: /unable to find user/,
    dockerfile: 'FROM BASE\nRUN rm -f /etc/passwd && mkfifo /etc/passwd\nUSER nobody\nRUN true',
  },
  {
    what: 'a passwd that is a folder',
    fails: /unable to find user/,
    dockerfile: 'FROM BASE\nRUN rm -f /etc/passwd && mkdir /etc/passwd\nUSER nobody\nRUN true',
  },
]);

table('mounts of steps', [
  {
    what: 'a bind mount on a link',
    dockerfile:
      'FROM BASE\nRUN ln -s OUTSIDE /l\nRUN --mount=type=bind,source=.,target=/l/m,rw touch /l/m/new',
    files: { f: 'f' },
  },
  {
    what: 'a tmpfs on a link',
    dockerfile: 'FROM BASE\nRUN ln -s OUTSIDE /l\nRUN --mount=type=tmpfs,target=/l touch /l/new',
  },
  {
    what: 'a cache on a link',
    dockerfile: 'FROM BASE\nRUN ln -s OUTSIDE /l\nRUN --mount=type=cache,target=/l touch /l/new',
  },
  {
    what: 'a secret on a link',
    dockerfile:
      'FROM BASE\nRUN ln -s OUTSIDE/secret /l\nRUN --mount=type=secret,id=s,target=/l cat /l >/dev/null',
    files: { s: 's' },
    args: ['--secret', 'id=s,env=PATH'],
  },
  {
    what: 'a mount in /proc',
    fails: /is not allowed/,
    dockerfile: 'FROM BASE\nRUN --mount=type=bind,source=.,target=/proc/self/rootOUTSIDE/m touch /m',
    files: { f: 'f' },
  },
  {
    what: 'a bind mount of a link of a stage',
    fails: /"\/l": not found/,
    dockerfile:
      'FROM BASE AS a\nRUN ln -s OUTSIDE /l\nFROM BASE\nRUN --mount=type=bind,from=a,source=/l,target=/m cat /m/secret',
  },
  {
    what: 'a cache seeded through a link',
    fails: /"\/l": not found/,
    dockerfile:
      'FROM BASE AS a\nRUN ln -s OUTSIDE /l\nFROM BASE\nRUN --mount=type=cache,id=seed,from=a,source=/l,target=/m cat /m/secret',
  },
  {
    what: 'a link in a cache',
    fails: /exit code: 1/,
    dockerfile:
      'FROM BASE\nRUN --mount=type=cache,id=k,target=/m ln -sfn OUTSIDE /m/l\nRUN --mount=type=cache,id=k,target=/m echo x > /m/l/new',
  },
  {
    what: 'a cache id that climbs',
    dockerfile: 'FROM BASE\nRUN --mount=type=cache,id=../../../../outside,target=/m touch /m/new',
  },
  {
    what: '/dev as a link',
    dockerfile: 'FROM BASE\nRUN true\nFROM scratch\nCOPY --from=0 /bin /bin\nRUN ["/bin/true"]',
  },
  {
    what: '/etc/hosts and /etc/resolv.conf as links',
    dockerfile:
      'FROM BASE\nRUN ln -s OUTSIDE/secret /etc/more\nFROM BASE\nCOPY etc /etc\nRUN echo x >> /etc/hosts; true',
    links: { 'etc/hosts': 'OUTSIDE/secret', 'etc/resolv.conf': 'OUTSIDE/secret' },
  },
]);

table('steps that attack what runs them', [
  {
    what: 'a shell that is /proc/self/exe',
    fails: /exit code: 2/,
    dockerfile: 'FROM BASE\nRUN rm /bin/sh && /bin/busybox ln -s /proc/self/exe /bin/sh\nRUN echo x',
  },
  {
    what: 'writing to the init',
    dockerfile:
      'FROM BASE\nRUN (echo x > /proc/1/exe) 2>/dev/null; (echo x > /proc/self/exe) 2>/dev/null; true',
  },
  {
    what: 'reading through descriptors',
    dockerfile:
      'FROM BASE\nRUN for p in /proc/[0-9]*; do for f in $p/fd/* $p/cwd $p/root; do cat $f/../../../../../../../../..OUTSIDE/secret $fOUTSIDE/secret; done; done 2>/dev/null; true',
  },
  ...[3, 5, 7, 8, 9, 10, 15].map((fd) => ({
    what: `WORKDIR on descriptor ${fd}`,
    fails: /did not complete successfully/,
    dockerfile: `FROM BASE\nWORKDIR /proc/self/fd/${fd}\nRUN cat ../../../../../../../../../../../..OUTSIDE/secret; echo x > ../../../../../../../../../../../../..OUTSIDE/new`,
  })),
]);

/** A docker archive of one image with these layers. */
function dockerArchive(name: string, layers: TarEntry[][]): Buffer {
  const tars = layers.map((entries) => packTar(entries));
  const config = JSON.stringify({
    architecture: { x64: 'amd64', arm64: 'arm64' }[process.arch as string],
    os: 'linux',
    config: { Cmd: ['/bin/sh'] },
    rootfs: {
      type: 'layers',
      diff_ids: tars.map((tar) => `sha256:${createHash('sha256').update(tar).digest('hex')}`),
    },
  });
  const manifest = [
    { Config: 'config.json', RepoTags: [name], Layers: tars.map((_, i) => `${i}/layer.tar`) },
  ];
  return packTar([
    { name: 'manifest.json', data: JSON.stringify(manifest) },
    { name: 'config.json', data: config },
    ...tars.map((data, i) => ({ name: `${i}/layer.tar`, data })),
  ]);
}

describe('layers of a base image', () => {
  const link: TarEntry = { name: 'l', type: '2', link: 'OUTSIDE' };
  const cases: [what: string, layers: TarEntry[][], fails?: RegExp][] = [
    ['a file through a link of the same layer', [[link, { name: 'l/new', data: 'x' }]]],
    ['a file through a link of a layer below', [[link], [{ name: 'l/new', data: 'x' }]]],
    ['a whiteout through a link', [[link], [{ name: 'l/.wh.secret' }]]],
    ['an opaque folder through a link', [[link], [{ name: 'l/.wh..wh..opq' }]]],
    ['a folder through a link', [[link], [{ name: 'l/', type: '5', mode: 0o700 }]]],
    [
      'a hard link through a link',
      [[link, { name: 'h', type: '1', link: 'l/secret' }]],
      /no such file|not found/,
    ],
    [
      'a hard link to a path outside',
      [[{ name: 'h', type: '1', link: 'OUTSIDE/secret' }]],
      /no such file|not found/,
    ],
    ['a name that climbs', [[{ name: '../../outside/new', data: 'x' }]]],
    ['an absolute name', [[{ name: 'OUTSIDE/new', data: 'x' }]]],
    ['a whiteout that climbs', [[{ name: '../.wh.outside' }]]],
    ['a whiteout of everything', [[{ name: '.wh...' }], [{ name: 'd/.wh..' }]], /whiteout/],
    [
      'the root as a link',
      [
        [
          { name: './', type: '2', link: 'OUTSIDE' },
          { name: 'new', data: 'x' },
        ],
      ],
      /./,
    ],
  ];
  for (const [index, [what, layers, fails]] of cases.entries())
    test(what, async () => {
      const folder = join(work, `layers-${index}`);
      mkdirSync(folder);
      const name = `evil-${index}:latest`;
      const filled = layers.map((entries) =>
        entries.map((entry) => ({
          ...entry,
          name: entry.name.replace('OUTSIDE', outside),
          ...(entry.link === undefined ? {} : { link: entry.link.replace('OUTSIDE', outside) }),
        })),
      );
      const archive = join(folder, 'archive.tar');
      writeFileSync(archive, dockerArchive(name, filled));
      await tsbuild.run(['load', archive], { limit });
      const context = writeTree(join(folder, 'context'), { Dockerfile: `FROM ${name}\nCOPY f /f\n`, f: 'f' });
      const out = join(folder, 'out.tar');
      const outcome = await tsbuild.run(['build', '--output', `type=tar,dest=${out}`, context], { limit });
      assert.equal(outcome.signal, null);
      assert.deepEqual(describeOutside(), untouched);
      if (fails) {
        assert.notEqual(outcome.status, 0);
        assert.match(outcome.stderr, fails);
        return;
      }
      assert.equal(outcome.status, 0, outcome.stderr);
      assert.ok(!readFileSync(out).includes(wire));
    });
});

test('a folder that was exported to is exported to again, and its links are not followed', async () => {
  const out = join(work, 'exported');
  const context = (name: string, dockerfile: string) =>
    writeTree(join(work, name), { Dockerfile: dockerfile, f: 'f', 'l/new': 'x' });
  const links = context(
    'export-links',
    `FROM ${busybox}\nRUN ln -s ${outside} /l && ln -s ${outside}/secret /f\n`,
  );
  await tsbuild.ok(['build', '--output', `type=local,dest=${out}`, links]);
  const files = context('export-files', 'FROM scratch\nCOPY f /f\nCOPY l /l\n');
  await tsbuild.run(['build', '--output', `type=local,dest=${out}`, files], { limit });
  assert.deepEqual(describeOutside(), untouched);
});

test('blobs of a layout that are links are not followed out of it', async () => {
  const folder = join(work, 'layout');
  const context = writeTree(join(folder, 'context'), { Dockerfile: 'FROM l\nRUN true\n' });
  const layout = join(folder, 'l');
  const image = writeTree(join(folder, 'image'), { Dockerfile: `FROM ${busybox}\n` });
  await tsbuild.ok(['build', '--output', `type=oci,tar=false,dest=${layout}`, image]);
  const blobs = join(layout, 'blobs/sha256');
  for (const name of readdirSync(blobs)) {
    chmodSync(join(blobs, name), 0o644);
    await succeed('ln', ['-sfn', join(outside, 'secret'), join(blobs, name)]);
  }
  const store = new Tsbuild(join(folder, 'store'));
  const outcome = await store.run(['build', '--build-context', `l=oci-layout://${layout}`, context], {
    limit,
  });
  assert.notEqual(outcome.status, 0);
  assert.ok(!outcome.stderr.includes(wire), outcome.stderr);
  assert.deepEqual(describeOutside(), untouched);
});
