import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { TsbuildError } from '@tsbuild/core';
import type { ByteStream } from '../src/api.js';
import { compress, packLayer, repackLayer } from '../src/compress/compress.js';
import { decompress } from '../src/compress/decompress.js';
import { peek, sniff } from '../src/compress/sniff.js';
import { canWriteZstd } from '../src/compress/zstd.js';
import { zstdFrames } from '../src/compress/zstd-frames.js';
import { createMemoryContentStore } from '../src/content/memory.js';

/** Text that packs well and noise that does not, with an end that fills no block. */
const sample = Buffer.concat([
  Buffer.from('the quick brown fox jumps over the lazy dog\n'.repeat(60_000)),
  randomBytes(700_001),
]);

async function* chunked(bytes: Uint8Array, size: number): ByteStream {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function gather(stream: ByteStream): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const zstdProgram = spawnSync('zstd', ['--version']).error === undefined;

for (const level of [0, 1, 4, 9]) {
  test(`gzip level ${level} is one member that gzip takes, and the bytes do not depend on the chunks`, async () => {
    const packed = await gather(compress(chunked(sample, 65_537), { compression: 'gzip', level }));
    assert.equal(
      hash(await gather(compress(chunked(sample, 1 << 22), { compression: 'gzip', level }))),
      hash(packed),
    );
    assert.deepEqual([...packed.subarray(0, 10)], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
    const tested = spawnSync('gzip', ['-t'], { input: packed });
    assert.equal(tested.stderr.toString(), '');
    assert.equal(tested.status, 0);
    const unpacked = spawnSync('gzip', ['-dc'], { input: packed, maxBuffer: 1 << 26 });
    assert.equal(hash(unpacked.stdout), hash(sample));
  });
}

for (const length of [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20]) {
  test(`gzip of ${length} bytes comes back whole`, async () => {
    const bytes = sample.subarray(0, length);
    const packed = await gather(compress(chunked(bytes, 50_000), { compression: 'gzip' }));
    assert.equal(spawnSync('gzip', ['-t'], { input: packed }).status, 0);
    assert.equal(hash(await gather(decompress(chunked(packed, 1000)))), hash(bytes));
  });
}

test('several gzip members are read as one stream', async () => {
  const packed = Buffer.concat([gzipSync('one,'), gzipSync(''), gzipSync('two')]);
  for (const size of [1, 7, 1000])
    assert.equal((await gather(decompress(chunked(packed, size)))).toString(), 'one,two');
});

test('plain bytes pass, short ones too', async () => {
  for (const text of ['', 'a', 'plain text']) {
    assert.equal((await gather(decompress(chunked(Buffer.from(text), 3)))).toString(), text);
  }
});

test('zstd frames, skippable ones between them, are read as one stream', {
  skip: zstdProgram ? false : 'no zstd program',
}, async () => {
  const pack = (bytes: Uint8Array, ...flags: string[]) =>
    spawnSync('zstd', ['-q', '-c', ...flags], { input: bytes, maxBuffer: 1 << 26 }).stdout;
  const skipped = Buffer.from([0x5e, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
  const half = sample.length >> 1;
  const packed = Buffer.concat([
    skipped,
    pack(sample.subarray(0, half), '-3'),
    skipped,
    pack(Buffer.alloc(0)),
    pack(sample.subarray(half), '-1', '--no-check', '--content-size'),
    skipped,
  ]);
  for (const size of [1 << 20, 4099])
    assert.equal(hash(await gather(decompress(chunked(packed, size)))), hash(sample));
});

test('zstd cut short, with a giant window, or followed by garbage is refused', {
  skip: zstdProgram ? false : 'no zstd program',
}, async () => {
  const packed = spawnSync('zstd', ['-q', '-c', '-3'], { input: sample, maxBuffer: 1 << 26 }).stdout;
  const wide = Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 20 << 3]), Buffer.from([1, 0, 0])]);
  const cases: [Uint8Array, RegExp][] = [
    [packed.subarray(0, packed.length - 1), /ends in the middle/],
    [packed.subarray(0, 5), /ends in the middle/],
    [Buffer.concat([packed, Buffer.from('garbage')]), /no frame where one should begin/],
    [wide, /window of more than 128 MiB/],
  ];
  for (const [bytes, message] of cases) {
    await assert.rejects(gather(decompress(chunked(bytes, 9999))), (error: TsbuildError) => {
      assert.equal(error.code, 'TSB_INTEGRITY_BAD_COMPRESSION');
      assert.match(error.message, message);
      return true;
    });
  }
});

test('a frame walk cut at every byte gives the same frames', async () => {
  // Single segment of 3 bytes: a raw block; then an empty skippable frame.
  const bytes = Buffer.from([
    0x28, 0xb5, 0x2f, 0xfd, 0x20, 3, 0x19, 0, 0, 97, 98, 99, 0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0,
  ]);
  for (let size = 1; size <= bytes.length; size += 1) {
    const ends: boolean[] = [];
    const all: Uint8Array[] = [];
    for await (const part of zstdFrames(chunked(bytes, size))) {
      if (part.endsFrame) ends.push(part.skippable);
      all.push(part.bytes);
    }
    assert.deepEqual(ends, [false, true]);
    assert.deepEqual(Buffer.concat(all), bytes);
  }
});

test('zstd is written where Node can, and refused with the way out where not', async () => {
  if (!canWriteZstd) {
    assert.throws(() => compress(chunked(sample, 1000), { compression: 'zstd' }), {
      code: 'TSB_USAGE_ZSTD_UNAVAILABLE',
      message: `zstd compression needs Node 22.15 or newer; this is ${process.version}`,
    });
    return;
  }
  const packed = await gather(compress(chunked(sample, 65_000), { compression: 'zstd' }));
  assert.equal(hash(await gather(decompress(chunked(packed, 10_000)))), hash(sample));
  if (zstdProgram) assert.equal(spawnSync('zstd', ['-t', '-q'], { input: packed }).status, 0);
});

test('broken gzip, bombs, xz and bzip2 have errors of their own', async () => {
  const packed = gzipSync(sample);
  const flipped = Buffer.from(packed);
  // A byte of the checksum.
  flipped[flipped.length - 8] = (flipped[flipped.length - 8] as number) ^ 1;
  const cases: [Uint8Array, string][] = [
    [packed.subarray(0, packed.length - 3), 'TSB_INTEGRITY_BAD_COMPRESSION'],
    [flipped, 'TSB_INTEGRITY_BAD_COMPRESSION'],
    [Buffer.from('\xfd7zXZ\0rest', 'latin1'), 'TSB_USAGE_COMPRESSION'],
    [Buffer.from('BZh9rest'), 'TSB_USAGE_COMPRESSION'],
  ];
  for (const [bytes, code] of cases) await assert.rejects(gather(decompress(chunked(bytes, 4096))), { code });
  const bomb = gzipSync(Buffer.alloc(8 << 20));
  await assert.rejects(gather(decompress(chunked(bomb, 4096), { limit: 1 << 20 })), {
    code: 'TSB_INTEGRITY_SIZE',
  });
});

test('levels out of range are refused', () => {
  for (const [compression, level] of [
    ['gzip', 10],
    ['gzip', -1],
    ['zstd', 0],
    ['zstd', 23],
    ['gzip', 1.5],
  ] as const) {
    assert.throws(() => compress(chunked(sample, 1), { compression, level }), {
      code: 'TSB_USAGE_BAD_COMPRESSION_LEVEL',
    });
  }
});

test('a fault of the source comes out as it is, and an early end closes the source', async () => {
  let closed = 0;
  async function* failing(): ByteStream {
    try {
      yield gzipSync(sample).subarray(0, 300_000);
      throw new TsbuildError('TSB_REGISTRY_UNREACHABLE', 'gone');
    } finally {
      closed += 1;
    }
  }
  await assert.rejects(gather(decompress(failing())), { code: 'TSB_REGISTRY_UNREACHABLE' });
  assert.equal(closed, 1);
  async function* endless(): ByteStream {
    try {
      for (;;) yield gzipSync(sample);
    } finally {
      closed += 1;
    }
  }
  for await (const _chunk of decompress(endless())) break;
  assert.equal(closed, 2);
  let taken = 0;
  for await (const _chunk of compress(endless(), { compression: 'gzip', level: 1 })) {
    taken += 1;
    if (taken > 2) break;
  }
  assert.equal(closed, 3);
});

test('sniff knows the kinds, and peek gives every byte back', async () => {
  const table: [number[], string][] = [
    [[0x1f, 0x8b, 8], 'gzip'],
    [[0x28, 0xb5, 0x2f, 0xfd], 'zstd'],
    [[0x53, 0x2a, 0x4d, 0x18], 'zstd'],
    [[0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], 'xz'],
    [[0x42, 0x5a, 0x68], 'bzip2'],
    [[], 'plain'],
    [[0x1f], 'plain'],
  ];
  for (const [bytes, kind] of table) assert.equal(sniff(Uint8Array.from(bytes)), kind);
  const { start, stream } = await peek(chunked(Buffer.from('abcdefghij'), 1));
  assert.equal(Buffer.from(start).toString(), 'abcdef');
  assert.equal((await gather(stream)).toString(), 'abcdefghij');
});

test('a layer is packed into the store with both digests from one pass', async () => {
  const store = createMemoryContentStore();
  const packed = await packLayer(store, chunked(sample, 100_000), { compression: 'gzip' });
  assert.equal(packed.diffId, `sha256:${hash(sample)}`);
  assert.equal(packed.diffSize, sample.length);
  assert.equal(packed.descriptor.mediaType, 'application/vnd.oci.image.layer.v1.tar+gzip');
  assert.equal(hash(await gather(decompress(store.open(packed.descriptor)))), hash(sample));
  const same = await repackLayer(store, packed.descriptor, () => chunked(sample, 1000), {
    compression: 'gzip',
  });
  assert.equal(same, packed.descriptor);
  const plain = await repackLayer(store, packed.descriptor, () => chunked(sample, 1000), {
    compression: 'uncompressed',
    force: true,
  });
  assert.deepEqual(plain, {
    mediaType: 'application/vnd.oci.image.layer.v1.tar',
    digest: packed.diffId,
    size: sample.length,
  });
});
