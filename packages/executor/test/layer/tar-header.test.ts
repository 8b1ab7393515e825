import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Header } from 'tar';
import { encodeHeader, type TarEntry, tarType } from '../../src/layer/tar-header.js';

const plain: TarEntry = {
  type: tarType.file,
  name: Buffer.from('a/b'),
  mode: 0o644,
  uid: 1,
  gid: 2,
  size: 5,
  mtime: 1,
};

/** Text of a field, NULs shown as dots. */
const field = (block: Buffer, from: number, to: number): string =>
  block.toString('latin1', from, to).replaceAll('\0', '.');

/** The records of the PAX header, or undefined for plain ustar. */
function recordsOf(blocks: Buffer): string | undefined {
  if (blocks.length === 512) return undefined;
  assert.equal(field(blocks, 156, 157), 'x');
  const size = Number.parseInt(blocks.toString('latin1', 124, 135), 8);
  return blocks.toString('latin1', 512, 512 + size);
}

test('a plain entry is one ustar block', () => {
  const block = encodeHeader(plain);
  assert.equal(block.length, 512);
  assert.equal(field(block, 0, 5), 'a/b..');
  assert.equal(field(block, 100, 157), '0000644.0000001.0000002.00000000005.00000000001.007570. 0');
  assert.equal(field(block, 257, 265), 'ustar.00');
  assert.equal(field(block, 265, 345), `${'.'.repeat(64)}0000000.0000000.`);
  assert.ok(new Header(block).cksumValid);
});

const long = (length: number): string => 'n'.repeat(length);

const cases: [what: string, change: Partial<TarEntry>, records: string | undefined][] = [
  ['a name of 100 bytes', { name: Buffer.from(long(100)) }, undefined],
  ['a name of 101 bytes without a slash', { name: Buffer.from(long(101)) }, `111 path=${long(101)}\n`],
  ['a long name that splits at a slash', { name: Buffer.from(`${long(90)}/${long(50)}`) }, undefined],
  ['a prefix of 155 bytes', { name: Buffer.from(`${long(155)}/x`) }, undefined],
  ['a prefix of 156 bytes', { name: Buffer.from(`${long(156)}/x`) }, `168 path=${long(156)}/x\n`],
  ['a directory of 101 bytes', { name: Buffer.from(`${long(100)}/`) }, `111 path=${long(100)}/\n`],
  ['a name beyond ASCII', { name: Buffer.from('\u00fc') }, '11 path=\u00c3\u00bc\n'],
  ['a name that is no text', { name: Buffer.from([0xff]) }, '9 path=\u00ff\n'],
  ['a link target of 101 bytes', { linkname: Buffer.from(long(101)) }, `115 linkpath=${long(101)}\n`],
  ['the largest plain owner', { uid: 0o7777777, gid: 0o7777777 }, undefined],
  ['larger owners', { uid: 0o10000000, gid: 0o10000000 }, '15 gid=2097152\n15 uid=2097152\n'],
  ['the largest plain size', { size: 8 * 2 ** 30 - 1 }, undefined],
  ['8 GiB', { size: 8 * 2 ** 30 }, '19 size=8589934592\n'],
  ['9 GiB and a byte', { size: 9 * 2 ** 30 + 1 }, '19 size=9663676417\n'],
  ['a time before 1970', { mtime: -10 }, '13 mtime=-10\n'],
  [
    'an attribute beside a long name that would split',
    {
      name: Buffer.from(`${long(90)}/${long(50)}`),
      records: [['SCHILY.xattr.security.capability', Buffer.from([1, 0, 10])]],
    },
    `40 SCHILY.xattr.security.capability=\u0001\0\n\n151 path=${long(90)}/${long(50)}\n`,
  ],
  [
    'a record whose length is longer for counting itself',
    { name: Buffer.from(`${long(160)}`) },
    `170 path=${long(160)}\n`,
  ],
];

for (const [what, change, records] of cases) {
  test(`PAX records: ${what}`, () => {
    const blocks = encodeHeader({ ...plain, ...change });
    assert.equal(recordsOf(blocks), records);
    assert.ok(new Header(blocks, blocks.length - 512).cksumValid);
  });
}

test('a record counts its own length', () => {
  for (let length = 80; length < 1100; length++) {
    const text = recordsOf(encodeHeader({ ...plain, linkname: Buffer.alloc(length + 21, 0x78) })) as string;
    assert.equal(Number.parseInt(text, 10), text.length);
  }
});

test('the PAX header is named after its entry, in ASCII', () => {
  const name = (path: string): string =>
    field(encodeHeader({ ...plain, name: Buffer.from(path) }), 0, 100).replace(/\.+$/, '');
  assert.equal(name('d\u00e4r/f\u00fc'), 'dr/PaxHeaders.0/f');
  assert.equal(name('\u00fc/'), '/PaxHeaders.0');
  assert.equal(name(`${long(120)}/\u00fc`), long(100));
});

test('device numbers that no header holds are refused', () => {
  assert.throws(() => encodeHeader({ ...plain, type: tarType.charDevice, devMajor: 2 ** 21 }), RangeError);
});
