/** What is told by first bytes: compressions, and whether there is an archive in it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import * as zlib from 'node:zlib';
import { TsbuildError } from '@tsbuild/core';
import { compressionOf, decompressFile } from '../../src/source/decompress.js';
import { isArchive } from '../../src/source/sniff-tar.js';
import { tarType } from '../../src/layer/tar-header.js';
import { tarOf } from '../layer/tars.js';

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsbuild-decompress-'));
});
after(() => rmSync(folder, { recursive: true }));

async function withFile<T>(bytes: Uint8Array, use: (fd: number) => Promise<T>): Promise<T> {
  const path = join(folder, 'file');
  writeFileSync(path, bytes);
  const fd = openSync(path, 'r');
  try {
    return await use(fd);
  } finally {
    closeSync(fd);
  }
}

const plainOf = (bytes: Uint8Array) =>
  withFile(bytes, async (fd) => {
    const parts: Buffer[] = [];
    for await (const part of decompressFile(fd)) parts.push(Buffer.from(part));
    return Buffer.concat(parts);
  });

const tools = {
  gzip: ['gzip', '-c'],
  bzip2: ['bzip2', '-c'],
  xz: ['xz', '-c'],
  zstd: ['zstd', '-qc'],
} as const;
type Tool = keyof typeof tools;
function compress(tool: Tool, bytes: Uint8Array, ...more: string[]): Buffer {
  const [program, ...args] = tools[tool];
  return execFileSync(program, [...args, ...more], { input: bytes, maxBuffer: 1 << 26 });
}

const heads: [hex: string, name: string][] = [
  ['', 'none'],
  ['1f8b', 'none'],
  ['1f8b08', 'gzip'],
  ['425a68', 'bzip2'],
  ['fd377a585a00', 'xz'],
  ['fd377a585a', 'none'],
  ['28b52ffd', 'zstd'],
  ['00425a68', 'none'],
  ['504b0304', 'none'],
];
for (const [hex, name] of heads) {
  test(`${hex || 'nothing'} begins ${name}`, () =>
    assert.equal(compressionOf(Buffer.from(hex, 'hex')), name));
}

const text = Buffer.from(Array.from({ length: 60_000 }, (_, index) => `line ${index * 7919}\n`).join(''));
const contents: [name: string, bytes: Buffer][] = [
  ['nothing', Buffer.alloc(0)],
  ['one byte', Buffer.from('x')],
  ['a text', text],
  ['zeros', Buffer.alloc(3_000_000)],
];
for (const tool of Object.keys(tools) as Tool[]) {
  for (const [name, bytes] of contents) {
    test(`${tool}: ${name}`, async () => assert.ok((await plainOf(compress(tool, bytes))).equals(bytes)));
  }

  test(`${tool}: several members are one content`, async () => {
    const joined = Buffer.concat([compress(tool, text), compress(tool, Buffer.from('more'))]);
    assert.ok((await plainOf(joined)).equals(Buffer.concat([text, Buffer.from('more')])));
  });

  test(`${tool}: what was cut off or changed is damage`, async () => {
    const whole = compress(tool, text, ...(tool === 'zstd' ? ['--check'] : []));
    const changed = Buffer.from(whole);
    const middle = whole.length >> 1;
    changed[middle] = (changed[middle] as number) ^ 0xff;
    const damaged = [whole.subarray(0, -1), whole.subarray(0, middle), whole.subarray(0, 20)];
    // Before Node 22.15 zstd is decoded by fzstd, which does not look at a frame's checksum.
    if (tool !== 'zstd' || 'createZstdDecompress' in zlib) damaged.push(changed);
    for (const bytes of damaged) {
      await assert.rejects(
        plainOf(bytes),
        (error) => TsbuildError.is(error) && error.code === 'TSB_INTEGRITY_BAD_ARCHIVE',
        `${bytes.length} of ${whole.length} bytes`,
      );
    }
  });

  test(`${tool}: a reader that stops early leaves the file open, and it can be read again`, async () => {
    await withFile(compress(tool, text), async (fd) => {
      const earlier = readdirSync('/proc/self/fd').length;
      for (let round = 0; round < 2; round += 1) {
        for await (const part of decompressFile(fd)) {
          assert.ok(text.subarray(0, part.length).equals(part));
          break;
        }
      }
      assert.equal(readdirSync('/proc/self/fd').length, earlier);
    });
  });
}

const archive = tarOf([['file', 'content']]);
const long = tarOf([{ name: 'n'.repeat(300), type: tarType.file }]);
const broken = Buffer.from(archive);
broken[0] = 0x7a;
const archives: [name: string, bytes: Buffer, is: boolean][] = [
  ['an archive', archive, true],
  ['an archive with an extended header', long, true],
  ['only the header of an entry', archive.subarray(0, 512), true],
  ['half a header', archive.subarray(0, 300), false],
  ['only an extended header', long.subarray(0, 1024), false],
  ['nothing', Buffer.alloc(0), false],
  ['an archive of no entries', Buffer.alloc(1024), false],
  ['a header with a wrong checksum', broken, false],
  ['a text', text, false],
];
for (const [name, bytes, is] of archives) {
  test(`${name} ${is ? 'is' : 'is no'} archive`, async () => {
    assert.equal(await withFile(bytes, isArchive), is);
    for (const tool of Object.keys(tools) as Tool[])
      assert.equal(await withFile(compress(tool, bytes), isArchive), is, tool);
  });
}

test('damage behind the first entry does not matter, damage before it does', async () => {
  const packed = compress('gzip', Buffer.concat([archive.subarray(0, 1024), text]));
  assert.equal(await withFile(packed.subarray(0, packed.length >> 1), isArchive), true);
  assert.equal(await withFile(packed.subarray(0, 12), isArchive), false);
});
