/** Files that no table can write down, on their whole way: context, COPY, RUN, layers and outputs. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { busyboxImage } from '../support/busybox.js';
import { Tsbuild } from '../support/command.js';
import { bin, rootless, workFolder } from '../support/env.js';
import { readLayout } from '../support/oci.js';
import { type ReadEntry, readTar } from '../support/tar.js';

let work: string;
let tsbuild: Tsbuild;
let base: string;
before(async () => {
  work = workFolder('fidelity');
  tsbuild = new Tsbuild(join(work, 'store'));
  base = await busyboxImage(tsbuild, work);
});
// Folders deeper than a path may be long are nothing that every remover can remove.
after(() => tsbuild.ok(['prune', '--all', '--force']));

function newContext(dockerfile: string): string {
  const context = mkdtempSync(join(work, 'context-'));
  chmodSync(context, 0o755);
  writeFileSync(join(context, 'Dockerfile'), dockerfile);
  return context;
}

/** Entries of each layer that the image has above its base. */
async function layersOf(context: string, baseLayers = 0): Promise<ReadEntry[][]> {
  const layout = mkdtempSync(join(work, 'layout-'));
  const output = `type=oci,dest=${layout},tar=false,compression=uncompressed`;
  await tsbuild.ok(['build', '--output', output, context]);
  return readLayout(layout)
    .manifest.layers.slice(baseLayers)
    .map(({ digest }) => readTar(readFileSync(join(layout, 'blobs', digest.replace(':', '/')))));
}

/** As test/support/tar.ts shows names. */
const shown = (bytes: Buffer) =>
  Buffer.from(bytes.toString()).equals(bytes)
    ? bytes.toString()
    : bytes.toString('latin1').replace(/[\x80-\xff]/g, (char) => `\\x${char.charCodeAt(0).toString(16)}`);
const below = (folder: string, name: Buffer) => Buffer.concat([Buffer.from(`${folder}/`), name]);
const bytes = Array.from({ length: 255 }, (_, index) => index + 1).filter((byte) => byte !== 0x2f);
const nameOf = (byte: number) => Buffer.from([0x61, byte, 0x7a]);
const inOrder = (names: Buffer[]) => names.toSorted(Buffer.compare).map(shown);

/** A context with a folder n: one file for every byte that a name can hold, and a link that is no text either. */
function contextOfNames(dockerfile: string): string {
  const context = newContext(dockerfile);
  const folder = join(context, 'n');
  mkdirSync(folder);
  for (const byte of bytes) writeFileSync(below(folder, nameOf(byte)), String(byte));
  symlinkSync(Buffer.from([0xff, 0x0a]), below(folder, Buffer.from([0xe9])));
  return context;
}

describe('names of every byte', () => {
  const wild = bytes.map(nameOf);
  const all = [...wild, Buffer.from([0xe9])];
  const withFolder = (folder: string, names: Buffer[]) => [
    `${folder}/`,
    ...inOrder(names).map((name) => `${folder}/${name}`),
  ];

  test('reach the layers from the context', async () => {
    const copies = 'COPY n/a?z /w/\nCOPY n/a[^a-y]z /c/\nCOPY --exclude=a?z n /e/\nCOPY --parents n/a*z /p/';
    const layers = await layersOf(contextOfNames(`FROM scratch\nCOPY n /n/\n${copies}\n`));
    const [n, w, c, e, p] = layers.map((layer) => layer.map(({ name }) => name));
    assert.deepEqual(n, withFolder('n', all));
    assert.deepEqual(w, withFolder('w', wild));
    const outside = bytes.filter((byte) => byte < 0x61 || byte > 0x79).map(nameOf);
    assert.deepEqual(c, withFolder('c', outside));
    assert.deepEqual(e, withFolder('e', [Buffer.from([0xe9])]));
    assert.deepEqual(p, ['p/', ...withFolder('p/n', wild)]);
    for (const { name, type, data, link } of layers[0] ?? []) {
      if (type === '2') assert.equal(link, '\\xff\n');
      else if (type === '0') assert.equal(shown(nameOf(Number(data))), name.slice(2));
    }
  });

  test('are told apart by the cache', async () => {
    const context = contextOfNames('FROM scratch\nCOPY n/ab* /m/\nCOPY n/a?z /n/\n');
    const changed = below(join(context, 'n'), nameOf(0xff));
    const cached = async () => {
      const { stderr } = await tsbuild.ok(['build', '--progress=plain', '--tag', 'names:1', context]);
      return stderr.split('\n').filter((line) => / CACHED$/.test(line)).length;
    };
    await cached();
    assert.equal(await cached(), 2);
    writeFileSync(changed, 'other');
    assert.equal(await cached(), 1);
    writeFileSync(changed, '255');
    assert.equal(await cached(), 2);
  });

  test('are ignored by patterns, and excepted', async () => {
    const context = contextOfNames('FROM scratch\nCOPY n /n/\n');
    writeFileSync(join(context, '.dockerignore'), 'n/a?z\n!n/a[a-c]z\n');
    const [n = []] = await layersOf(context);
    const kept = [...[0x61, 0x62, 0x63].map(nameOf), Buffer.from([0xe9])];
    assert.deepEqual(
      n.map(({ name }) => name),
      withFolder('n', kept),
    );
  });

  test('reach a folder and a tar', async () => {
    const context = contextOfNames('FROM scratch\nCOPY n /n/\n');
    const out = join(work, 'out');
    const tar = join(work, 'out.tar');
    await tsbuild.ok(['build', '--output', out, '--output', `type=tar,dest=${tar}`, context]);
    const listed = readdirSync(join(out, 'n'), { encoding: 'buffer' });
    assert.deepEqual(inOrder(listed), inOrder(all));
    assert.equal(readFileSync(below(join(out, 'n'), nameOf(0xc3)), 'utf8'), '195');
    const names = readTar(readFileSync(tar)).map(({ name }) => name);
    assert.deepEqual(
      names.filter((name) => name !== 'n/'),
      withFolder('n', all).slice(1),
    );
  });
});

test('folders deeper than PATH_MAX are made, copied, changed and exported', async () => {
  const part = 'd'.repeat(200);
  const half = Array.from({ length: 15 }, () => part).join('/');
  // The shell cannot go deeper than a path is long, so a deep tree is moved below another one.
  const make = `RUN mkdir -p /t/${half} /u/${half} && echo deep > /u/${half}/f && ln /u/${half}/f /u/${half}/g && cd /t/${half} && mv /u/${part} . && rmdir /u`;
  const context = newContext(`FROM ${base} AS a
${make}
RUN cd /t/${half} && mv ${part} /u && echo more >> /u/${half.slice(201)}/f && mv /u ${part}
FROM scratch
COPY --from=a /t /t
`);
  const deep = `t/${half}/${half}`;
  const [t = []] = await layersOf(context);
  assert.deepEqual(
    t.slice(-2).map(({ name, type, data }) => [name.length, name, type, data.toString()]),
    [
      [6033, `${deep}/f`, '0', 'deep\nmore\n'],
      [6033, `${deep}/g`, '1', ''],
    ],
  );
  const tar = join(work, 'deep.tar');
  await tsbuild.ok(['build', '--output', `type=tar,dest=${tar}`, context]);
  assert.equal(readTar(readFileSync(tar)).at(-1)?.name, `${deep}/g`);
});

test('kinds, links, times and attributes of the context are kept', async () => {
  const context = newContext(`FROM ${base} AS a
COPY c /c
RUN stat -c '%y %a %h' /c/old > /seen
FROM scratch
COPY --from=a /c /c
COPY --from=a /seen /
`);
  const c = join(context, 'c');
  mkdirSync(c);
  writeFileSync(join(c, 'a'), 'a');
  linkSync(join(c, 'a'), join(c, 'b'));
  writeFileSync(join(c, 'old'), 'old');
  chmodSync(join(c, 'old'), 0o6755);
  writeFileSync(join(c, 's'), '');
  truncateSync(join(c, 's'), 64 * 1024 * 1024);
  execFileSync('mkfifo', ['-m', '620', join(c, 'p')]);
  execFileSync('touch', ['-d', '@-1.000000001', join(c, 'old')]);
  const listener = "require('net').createServer().listen(process.argv[1], () => process.exit())";
  execFileSync(process.execPath, ['-e', `process.exitCode = 0; ${listener}`, join(c, 'sock')]);
  const [layer = [], seen] = await layersOf(context);
  assert.deepEqual(
    layer.map(({ name, type, mode, link, data }) => [name, type, mode.toString(8), link, data.length]),
    [
      ['c/', '5', '755', '', 0],
      ['c/a', '0', '644', '', 1],
      ['c/b', '1', '644', 'c/a', 0],
      ['c/old', '0', '6755', '', 3],
      ['c/p', '6', '620', '', 0],
      ['c/s', '0', '644', '', 64 * 1024 * 1024],
    ],
  );
  assert.equal(layer.find(({ name }) => name === 'c/old')?.mtime, -2);
  const [{ data = '' } = {}] = seen ?? [];
  assert.equal(data.toString(), '1969-12-31 23:59:58.999999999 +0000 6755 1\n');
  const copies = execFileSync('find', [join(work, 'store/snapshots'), '-name', 's', '-size', '+1M'], {
    encoding: 'utf8',
  });
  const files = copies.trim().split('\n');
  assert.equal(files.length, 2);
  for (const file of files) assert.ok(statSync(file).blocks < 100, `${file} stays sparse`);
});

test('user attributes are kept from step to step', {
  skip: rootless && 'reads the store as root',
}, async () => {
  const context = newContext(
    `FROM ${base} AS a\nCOPY c /c\nRUN mv /c/marked-file /c/moved-file\nFROM scratch\nCOPY --from=a /c /last\n`,
  );
  mkdirSync(join(context, 'c'));
  writeFileSync(join(context, 'c/marked-file'), '');
  execFileSync('setfattr', ['-n', 'user.mark', '-v', 'x\\000y', join(context, 'c/marked-file')]);
  await tsbuild.ok(['build', '--tag', 'marked:1', context]);
  const find = ['-name', 'marked-file', '-o', '-name', 'moved-file', '-size', '0', '-type', 'f'];
  const found = execFileSync('find', [join(work, 'store/snapshots'), ...find], { encoding: 'utf8' })
    .trim()
    .split('\n');
  const values = found
    .filter((file) => statSync(file).isFile())
    .map((file) =>
      execFileSync('getfattr', ['--only-values', '--absolute-names', '-n', 'user.mark', file]).toString(
        'hex',
      ),
    );
  assert.deepEqual(values, ['780079', '780079', '780079']);
});

test('200 steps, and more on a base of 200 layers', { timeout: 300_000 }, async () => {
  const steps = (first: number, last: number) =>
    Array.from({ length: last - first }, (_, index) => `COPY f /f${first + index}\n`).join('');
  const lower = newContext(`FROM ${base}\n${steps(0, 200)}`);
  writeFileSync(join(lower, 'f'), 'f');
  await tsbuild.ok(['build', '--tag', 'layers:200', lower]);
  const upper = newContext(`FROM layers:200
${steps(200, 210)}RUN ls / | grep -c '^f' > /count && rm /f0 /f209 && echo x >> /f1
RUN ls / | grep -c '^f' >> /count
`);
  writeFileSync(join(upper, 'f'), 'f');
  const { stderr } = await tsbuild.ok(['build', '--tag', 'layers:212', upper]);
  assert.doesNotMatch(stderr, /Warning/);
  const layers = await layersOf(upper, 1);
  assert.equal(layers.length, 212);
  assert.deepEqual(
    layers.slice(-2).map((layer) => layer.map(({ name }) => name)),
    [['count', '.wh.f0', 'f1', '.wh.f209'], ['count']],
  );
  assert.equal(layers.at(-1)?.[0]?.data.toString(), '210\n208\n');
});

test('folders of 10,000 entries', async () => {
  const context = newContext(`FROM ${base}\nCOPY c /c\nRUN cp -r /c /d && rm /c/77 /d/99\n`);
  mkdirSync(join(context, 'c'));
  for (let index = 0; index < 10_000; index++) writeFileSync(join(context, 'c', String(index)), `${index}`);
  const [copied = [], ran = []] = await layersOf(context, 1);
  assert.equal(copied.length, 10_001);
  assert.ok(copied.every(({ name, data }) => name === 'c/' || name === `c/${data}`));
  assert.equal(ran.length, 1 + 1 + 10_000);
  assert.ok(ran.some(({ name }) => name === 'c/.wh.77'));
  assert.ok(!ran.some(({ name }) => name === 'd/99'));
});

/** More than eleven octal digits of a tar header can say. Only when asked for: it takes minutes and 8 GiB of disk for each tar. */
const large = process.env['TSBUILD_TEST_LARGE'] === '1';
test('files of 8 GiB', { skip: !large && 'TSBUILD_TEST_LARGE=1 runs it', timeout: 1_200_000 }, async () => {
  const size = 8 * 2 ** 30;
  const context = newContext(`FROM ${base} AS a
COPY big /copied
RUN truncate -s ${size} /made && echo end >> /made
RUN stat -c '%n %s' /copied /made > /sizes && tail -c 4 /made >> /sizes
FROM scratch AS sizes
COPY --from=a /sizes /
FROM scratch AS all
COPY --from=a /copied /made /
`);
  writeFileSync(join(context, 'big'), '');
  truncateSync(join(context, 'big'), size + 1);
  const out = join(work, 'sizes');
  await tsbuild.ok(['build', '--target', 'sizes', '--output', out, context]);
  assert.equal(readFileSync(join(out, 'sizes'), 'utf8'), `/copied ${size + 1}\n/made ${size + 4}\nend\n`);
  const packed = spawnSync(
    'sh',
    [
      '-c',
      '"$@" | tar -tvf -',
      '-',
      bin,
      'build',
      '--root',
      tsbuild.root,
      '--output',
      'type=tar,dest=-',
      context,
    ],
    { encoding: 'utf8' },
  );
  const lines = packed.stdout
    .trim()
    .split('\n')
    .map((line) => line.split(/ +/));
  assert.deepEqual(
    lines.map((words) => [words[2], words.at(-1)]),
    [
      [String(size + 1), 'copied'],
      [String(size + 4), 'made'],
    ],
  );
});

test('a file of 9 GiB that a step makes is in the image', {
  skip: !large && 'TSBUILD_TEST_LARGE=1 runs it',
  timeout: 1_200_000,
}, async () => {
  const size = 9 * 2 ** 30 + 4;
  const context = newContext(`FROM ${base}\nRUN truncate -s ${size - 4} /made && echo end >> /made\n`);
  const layout = join(work, 'large-layout');
  const output = `type=oci,dest=${layout},tar=false,compression=uncompressed`;
  await tsbuild.ok(['build', '--output', output, context]);
  const layer = readLayout(layout).manifest.layers.at(-1);
  assert.ok(layer);
  // The record that holds its size, with a header, then its own; a block that is not full, and the end.
  assert.equal(layer.size, 3 * 512 + size - 4 + 512 + 1024);
  const blob = join(layout, 'blobs', layer.digest.replace(':', '/'));
  assert.equal(statSync(blob).size, layer.size);
  const listed = execFileSync('tar', ['-tvf', blob], { encoding: 'utf8' }).trim().split(/ +/);
  assert.deepEqual([listed[2], listed.at(-1)], [String(size), 'made']);
});
