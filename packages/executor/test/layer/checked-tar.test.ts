/** checkedTar: whole archives pass unchanged, others fail. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkedTar } from '../../src/layer/checked-tar.js';
import { encodeHeader, endOfArchive, type TarEntry, tarType } from '../../src/layer/tar-header.js';

const file = (name: string, size: number): Buffer => {
  const entry: TarEntry = {
    name: Buffer.from(name),
    type: tarType.file,
    mode: 0o644,
    uid: 0,
    gid: 0,
    size,
    mtime: 0,
  };
  const data = Buffer.alloc(Math.ceil(size / 512) * 512, 'x');
  return Buffer.concat([encodeHeader(entry), data]);
};
const archive = Buffer.concat([
  file('a', 0),
  file(`${'long/'.repeat(40)}f`, 700),
  file('b', 512),
  endOfArchive(),
]);

async function through(bytes: Buffer, chunk: number): Promise<Buffer> {
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += chunk) yield Buffer.from(bytes.subarray(at, at + chunk));
  }
  const parts: Uint8Array[] = [];
  for await (const part of checkedTar(pieces())) parts.push(part);
  return Buffer.concat(parts);
}

for (const chunk of [1, 100, 512, 5000, 1 << 20])
  test(`a whole archive passes unchanged in chunks of ${chunk}`, async () => {
    assert.ok((await through(archive, chunk)).equals(archive));
    const padded = Buffer.concat([archive, Buffer.alloc(10_240)]);
    assert.ok((await through(padded, chunk)).equals(padded));
  });

test('an archive that ends after an entry is whole', async () => {
  const open = archive.subarray(0, archive.length - endOfArchive().length);
  assert.ok((await through(open, 512)).equals(open));
});

for (const [what, end] of [
  ['in a header', 300],
  ['in data', archive.length - endOfArchive().length - 100],
] as const)
  test(`an archive that ends ${what} is cut off`, async () => {
    await assert.rejects(through(archive.subarray(0, end), 512), { code: 'TSB_INTEGRITY_BAD_ARCHIVE' });
  });

test('a wrong byte in a header is damage', async () => {
  const damaged = Buffer.from(archive);
  damaged[20] = 0x41;
  await assert.rejects(through(damaged, 512), { code: 'TSB_INTEGRITY_BAD_ARCHIVE' });
});

test('the source is closed when the reader stops', async () => {
  let closed = false;
  async function* source() {
    try {
      for (;;) yield Buffer.from(archive);
    } finally {
      closed = true;
    }
  }
  for await (const _chunk of checkedTar(source())) break;
  assert.ok(closed);
});
