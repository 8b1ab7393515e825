/** Files that are longer than eleven octal digits of a tar header can say. */
import assert from 'node:assert/strict';
import { closeSync, ftruncateSync, readSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import * as native from '@tsbuild/native';
import { ByteReader } from '../../src/layer/byte-reader.js';
import { extractArchive, packLayer } from '../../src/layer/index.js';
import { encodeHeader, type TarEntry, tarType } from '../../src/layer/tar-header.js';
import { readTar } from '../../src/layer/tar-reader.js';
import { isRoot } from '../snapshot/trees.js';
import { never, newStore, streamOf } from './tars.js';

const C = native.constants;
const GiB = 2 ** 30;
const plain: Omit<TarEntry, 'size'> = {
  type: tarType.file,
  name: Buffer.from('big'),
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: 1,
};

/** The header with its size as GNU tar writes it: a bit that says so, and a number of 95 bits. */
function base256(size: number): Buffer {
  const block = encodeHeader({ ...plain, size: 0 });
  block.fill(0, 124, 136);
  block[124] = 0x80;
  block.writeBigUInt64BE(BigInt(size), 128);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

for (const size of [8 * GiB - 1, 8 * GiB, 8 * GiB + 1, 9 * GiB, 2 ** 45 + 7]) {
  for (const [how, header] of [
    ['as tsbuild writes it', encodeHeader({ ...plain, size })],
    ['in base 256', base256(size)],
  ] as const) {
    test(`a size of ${size} is read ${how}`, async () => {
      const { value } = await readTar(new ByteReader(streamOf(header))).next();
      assert.deepEqual([value?.size, value?.segments], [size, [{ offset: 0, length: size }]]);
    });
  }
}

test('a sparse file of 9 GiB is packed whole, unpacked the same and sparse', {
  skip: isRoot ? false : 'needs root',
  timeout: 300_000,
}, async () => {
  const size = 9 * GiB;
  const pieces: [text: string, at: number][] = [
    ['start', 0],
    ['beyond 4 GiB', 4 * GiB + 12_345],
    ['beyond 8 GiB', 8 * GiB + 1],
    ['end', size - 3],
  ];
  const store = newStore('overlay');
  try {
    const active = await store.snapshotter.prepare([]);
    const flags = C.O_WRONLY | C.O_CREAT | C.O_EXCL;
    const fd = native.openat2(active.root(), 'big', flags, 0o644, C.RESOLVE_BENEATH);
    ftruncateSync(fd, size);
    for (const [text, at] of pieces) writeSync(fd, text, at);
    closeSync(fd);
    const id = await active.commit();

    let packed = 0;
    const counted = async function* () {
      for await (const chunk of packLayer(store.snapshotter, [id], 0)) {
        packed += chunk.length;
        yield chunk;
      }
    };
    const copy = await store.snapshotter.prepare([]);
    await extractArchive(counted(), copy.root(), { signal: never });
    // A record of the size and its header, the file's header, and the end.
    assert.equal(packed, 512 * 3 + size + 1024);

    const stat = native.stat(copy.root(), 'big');
    assert.equal(stat.size, size);
    assert.ok(stat.blocks * 512 < 16 * 2 ** 20, `${stat.blocks} blocks`);
    const read = native.openat2(copy.root(), 'big', C.O_RDONLY, 0, C.RESOLVE_BENEATH);
    for (const [text, at] of pieces) {
      const bytes = Buffer.alloc(text.length + 2);
      // With what stands around it: zeros, or an end.
      const length = readSync(read, bytes, 0, bytes.length, Math.max(0, at - 1));
      const before = at === 0 ? '' : '\0';
      const after = at + text.length === size ? '' : '\0'.repeat(at === 0 ? 2 : 1);
      assert.equal(bytes.toString('latin1', 0, length), before + text + after);
    }
    closeSync(read);
    await copy.discard();
  } finally {
    await store.remove();
  }
});
