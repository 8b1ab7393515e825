/** Streams of the caller's, into the engine and out of it, also those that break. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createReadStream, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { build, images, importImage, inspect, load, save, targets } from '../../src/index.js';
import { createFixture, leftovers, missing, shell } from './fixture.js';

const { folder, root, context, remove } = createFixture();
after(remove);
const options = { skip: missing, timeout: 60_000 };
const label = 'FROM scratch\nLABEL a=b\n';

test('a context can be a stream of a tar, and the Dockerfile be in it', options, async () => {
  writeFileSync(join(context, 'Dockerfile'), shell('RUN busybox test -f /bin/sh'));
  const tar = spawn('tar', ['-C', context, '-c', '.']);
  const result = await build({ root, context: tar.stdout });
  assert.match(result.digest ?? '', /^sha256:/);
});

test('a Dockerfile in a tar is described under its own name, whoever owns the files', options, async () => {
  const tar = spawn('tar', ['-C', context, '--owner=12345', '--group=54321', '-c', '.']);
  const described = await targets({ root, context: tar.stdout });
  assert.equal(described.file.name, 'Dockerfile');
  assert.equal(described.targets.length, 1);
  await assert.rejects(build({ root, context: spawn('tar', ['-C', context, '-c', 'busybox']).stdout }), {
    code: 'TSB_CONTEXT_NO_DOCKERFILE',
    message: 'no Dockerfile in the context',
  });
  assert.deepEqual(leftovers(root), []);
});

test('a stream may give strings, and need not be read to its end', options, async () => {
  await build({ root, context: Readable.from([label]), tags: ['text'] });
  const endless = new Readable({
    read() {
      setTimeout(() => this.push(Buffer.alloc(1 << 16)), 1);
    },
  });
  await assert.rejects(build({ root, context: endless, tags: ['Bad Name'] }), {
    code: 'TSB_RESOLVE_BAD_REFERENCE',
  });
  assert.ok(endless.destroyed);
});

const broken: [what: string, stream: () => Readable, cause: RegExp][] = [
  [
    'fails',
    () =>
      new Readable({
        read() {
          this.destroy(new Error('of the stream'));
        },
      }),
    /^of the stream$/,
  ],
  [
    'is closed before its end',
    () =>
      new Readable({
        read() {
          this.push(label);
          setTimeout(() => this.destroy(), 20);
        },
      }),
    /[Pp]remature close/,
  ],
  ['gives objects', () => Readable.from([{ no: 'bytes' }]), /must be of type string/],
  ['names no file', () => createReadStream(join(folder, 'no such file')), /ENOENT/],
];
for (const [what, stream, cause] of broken)
  test(`a context stream that ${what} fails the build, and leaves no image`, options, async () => {
    // What came so far is a whole Dockerfile: built, it would be an image of half of what was meant.
    await assert.rejects(
      build({ root, context: stream(), tags: ['half'] }),
      (error: Error & { code: string }) => {
        assert.equal(error.code, 'TSB_CONTEXT_STREAM');
        assert.match((error.cause as Error).message, cause);
        return true;
      },
    );
    assert.ok(!(await images({ root })).some(({ familiarName }) => familiarName === 'half:latest'));
    assert.deepEqual(leftovers(root), []);
  });

test('an output stream is ended, and has it all', options, async () => {
  const through = new PassThrough();
  const [bytes] = await Promise.all([
    buffer(through),
    build({ root, context, dockerfileText: shell(), outputs: [{ type: 'tar', dest: through }] }),
  ]);
  const listed = spawnSync('tar', ['-t'], { input: bytes, encoding: 'utf8' }).stdout;
  assert.match(listed, /^bin\/busybox$/m);
  assert.ok(through.writableFinished);
});

test('an output stream that fails is the error', options, async () => {
  const dest = new Writable({
    write(_chunk, _encoding, done) {
      done(new Error('no more'));
    },
  });
  const running = build({ root, context, dockerfileText: shell(), outputs: [{ type: 'tar', dest }] });
  await assert.rejects(running, (error: Error & { code: string }) => {
    assert.equal(error.code, 'TSB_STORE_OUTPUT');
    assert.equal((error.cause as Error).message, 'no more');
    return true;
  });
  assert.deepEqual(leftovers(root), []);
});

test(
  'the output stream of a build that fails is destroyed, without an error of its own',
  options,
  async () => {
    const dest = new PassThrough();
    await assert.rejects(build({ root, dockerfileText: 'NOPE\n', outputs: [{ type: 'tar', dest }] }), {
      code: 'TSB_PARSE_UNKNOWN_INSTRUCTION',
    });
    assert.ok(dest.destroyed);
    assert.ok(!dest.writableFinished);
  },
);

test('options that look like destinations are not taken for them', options, async () => {
  const dockerfileText = 'FROM scratch\nARG dest\nARG context\nLABEL dest=$dest context=$context\n';
  await build({ root, dockerfileText, buildArgs: { dest: '-', context: '-' }, tags: ['dash'] });
  const { config } = await inspect({ root, reference: 'dash' });
  assert.deepEqual(config.config?.Labels, { dest: '-', context: '-' });
});

test('standard input and output: context from the one, archive to the other', options, async () => {
  const script = join(folder, 'pipes.mjs');
  const index = new URL('../../src/index.js', import.meta.url).href;
  writeFileSync(
    script,
    `import { build } from ${JSON.stringify(index)};
     await build({ root: ${JSON.stringify(root)}, context: '-', outputs: [{ type: 'tar', dest: '-' }] });
     console.error('done');`,
  );
  const tar = spawnSync('tar', ['-C', context, '-c', '.'], { maxBuffer: 1 << 26 }).stdout;
  const ran = spawnSync(process.execPath, [script], { input: tar, timeout: 30_000, maxBuffer: 1 << 26 });
  assert.equal(ran.stderr.toString(), 'done\n');
  const listed = spawnSync('tar', ['-t'], { input: ran.stdout, encoding: 'utf8' }).stdout;
  assert.match(listed, /^bin\/sh$/m);
});

test('archives out of the store and into it, by file and by stream', options, async () => {
  await build({ root, context, dockerfileText: shell(), tags: ['moved:1'] });
  const file = join(folder, 'moved.tar');
  const { digest } = await save({ root, references: ['moved:1'], dest: file, format: 'oci' });
  const through = new PassThrough();
  const [bytes] = await Promise.all([
    buffer(through),
    save({ root, references: ['moved:1'], dest: through, format: 'oci' }),
  ]);
  assert.ok(bytes.equals(readFileSync(file)));
  const other = join(folder, 'other');
  const loaded = await load({ root: other, source: createReadStream(file) });
  assert.deepEqual(loaded, { digest, names: ['docker.io/library/moved:1'] });
  const rootfs = spawnSync('tar', ['-C', context, '-c', 'busybox'], { maxBuffer: 1 << 26 }).stdout;
  const imported = await importImage({ root: other, source: Readable.from([rootfs]), reference: 'tree' });
  assert.deepEqual(imported.names, ['docker.io/library/tree:latest']);
  assert.deepEqual(leftovers(other), []);
});

test('save refuses what it cannot write, before it begins', options, async () => {
  const refused = { code: 'TSB_USAGE_DESTINATION' };
  await assert.rejects(save({ root, references: ['moved:1'], dest: folder }), refused);
  await assert.rejects(
    save({ root, references: ['moved:1'], dest: new PassThrough(), format: 'oci', folder: true }),
    refused,
  );
  assert.ok(!existsSync(join(folder, '-')));
});

test('a root file system that is cut off is not imported', options, async () => {
  const whole = spawnSync('tar', ['-C', context, '-c', 'busybox'], { maxBuffer: 1 << 26 }).stdout;
  const source = Readable.from([whole.subarray(0, 1_000_000)]);
  await assert.rejects(importImage({ root, source, reference: 'cut' }), {
    code: 'TSB_INTEGRITY_BAD_ARCHIVE',
  });
  assert.ok(!(await images({ root })).some(({ familiarName }) => familiarName === 'cut:latest'));
  assert.deepEqual(leftovers(root), []);
});

test('without an engine too, streams that fail are the error', options, async () => {
  const [, failing] = broken[0] ?? [];
  const [, closing] = broken[1] ?? [];
  for (const stream of [failing, closing])
    for (const call of [load, importImage])
      await assert.rejects(call({ root, source: stream?.() ?? '' }), { code: 'TSB_CONTEXT_STREAM' });
  const dest = new Writable({
    write(_chunk, _encoding, done) {
      done(new Error('no more'));
    },
  });
  await assert.rejects(save({ root, references: ['moved:1'], dest }), { code: 'TSB_STORE_OUTPUT' });
  assert.deepEqual(leftovers(root), []);
});
