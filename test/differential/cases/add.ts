/** ADD: archives, the web. */
import { execFileSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { packTar } from '../../support/tar.js';
import type { Case, Group } from '../types.js';
import { onBase, scratch } from './make.js';

const entries = [
  { name: 'dir/', type: '5', mode: 0o750, uid: 5, gid: 6 },
  { name: 'dir/file', data: 'file\n', mode: 0o640, uid: 7, gid: 8, mtime: 1_200_000_000 },
  { name: 'dir/link', type: '2', link: 'file', mode: 0o777 },
  { name: 'dir/hard', type: '1', link: 'dir/file' },
  { name: 'implied/deep/file', data: 'deep\n' },
  { name: 'setuid', data: 's\n', mode: 0o4755 },
  { name: 'fifo', type: '6', mode: 0o600 },
];
const tar = packTar(entries);
const through = (command: string, data: Uint8Array) => execFileSync(command, ['-c'], { input: data });

const archives = {
  'a.tar': tar,
  'a.tar.gz': gzipSync(tar),
  'a.tgz.gz': gzipSync(gzipSync(tar)),
  'a.tar.bz2': through('bzip2', tar),
  'a.tar.xz': through('xz', tar),
  'a.tar.zst': through('zstd', tar),
  'no-name': gzipSync(tar),
  'plain.gz': gzipSync('plain text\n'),
  'text.tar': 'no archive\n',
  'empty.tar': packTar([]),
  'cut.tar': tar.subarray(0, 300),
  'late.tar': Buffer.concat([tar.subarray(0, 1536), Buffer.alloc(512, 'x')]),
};
const archive = (name: string, lines: string, more: Partial<Case> = {}) =>
  scratch(name, lines, { files: archives, ...more });
const own = (
  name: string,
  list: Parameters<typeof packTar>[0],
  lines = 'ADD a.tar /d',
  more: Partial<Case> = {},
) => scratch(name, lines, { files: { 'a.tar': packTar(list) }, ...more });
const fail = { fails: /./ };
const whiteout = {
  fails: /cannot be part of a layer/,
  differs: [
    {
      line: /^outcome: /,
      reason: 'BuildKit writes a layer in which the file means a removal; such a name is refused here.',
    },
  ],
};

export const addGroup: Group = {
  name: 'add',
  cases: [
    archive('tar', 'ADD a.tar /d'),
    archive('tar to the root', 'ADD a.tar /'),
    archive('tar to a folder with slash', 'ADD a.tar /d/'),
    archive('gzip', 'ADD a.tar.gz /d'),
    archive('gzip twice is a file of gzip', 'ADD a.tgz.gz /d'),
    archive('bzip2', 'ADD a.tar.bz2 /d'),
    archive('xz', 'ADD a.tar.xz /d', { peerLacks: 'the xz command, which it calls' }),
    archive('zstd', 'ADD a.tar.zst /d'),
    archive('the name does not matter', 'ADD no-name /d'),
    archive('compressed text is a file', 'ADD plain.gz /d/'),
    archive('text called tar is a file', 'ADD text.tar /d/'),
    archive('an empty archive is a file', 'ADD empty.tar /d/'),
    archive('a cut header is a file', 'ADD cut.tar /d/'),
    archive('a broken second entry fails', 'ADD late.tar /d/', fail),
    archive('owners of the flag', 'ADD --chown=11:12 a.tar /d'),
    archive('modes of the flag', 'ADD --chmod=700 a.tar /d'),
    archive('--link', 'ADD --link a.tar /d'),
    archive('--unpack=false', 'ADD --unpack=false a.tar /d/'),
    archive('--unpack', 'ADD --unpack a.tar /d/'),
    archive('--unpack of text', 'ADD --unpack text.tar /d/', {}),
    archive('--exclude', 'ADD --exclude=dir a.tar /d/'),
    archive('a wildcard', 'ADD *.tar /d/', {
      files: { 'a.tar': tar, 'b.tar': packTar([{ name: 'b', data: 'b\n' }]), c: 'c\n' },
    }),
    archive('several sources', 'ADD a.tar text.tar /d/'),
    archive('COPY does not unpack', 'COPY a.tar /d/'),
    archive('a folder of archives', 'ADD . /d', {
      files: { 'a/a.tar': tar },
      dockerfile: 'FROM scratch\nADD a /d\n',
    }),
    archive('after WORKDIR', 'WORKDIR /w\nADD a.tar .'),
    own('a folder entry for the root', [
      { name: './', type: '5', mode: 0o711, uid: 3, gid: 4 },
      { name: './f', data: 'f\n' },
    ]),
    own('names that climb', [{ name: '../f', data: 'f\n' }], 'ADD a.tar /d', fail),
    own('absolute names', [{ name: '/abs/f', data: 'f\n' }]),
    own('a link that climbs', [{ name: 'l', type: '2', link: '../../etc' }]),
    own('a file through a link', [
      { name: 'l', type: '2', link: '/t' },
      { name: 'l/f', data: 'f\n' },
    ]),
    own('a hard link to nothing', [{ name: 'h', type: '1', link: 'none' }], 'ADD a.tar /d', fail),
    own('one name twice', [
      { name: 'f', data: '1\n' },
      { name: 'f', data: '22\n' },
    ]),
    own('a file becomes a folder', [
      { name: 'f', data: '1\n' },
      { name: 'f/', type: '5' },
      { name: 'f/g', data: 'g\n' },
    ]),
    own('a whiteout name is a plain file', [{ name: '.wh.f', data: 'x\n' }], 'ADD a.tar /d', whiteout),
    own('a long name by PAX', [{ name: 'short', data: 'x\n', pax: { path: `long/${'n'.repeat(150)}` } }]),
    own('a capability by PAX', [
      {
        name: 'f',
        data: 'x\n',
        pax: {
          'SCHILY.xattr.security.capability':
            '\u0001\u0000\u0000\u0002\u0000\u0004\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000',
        },
      },
    ]),
    own('times by PAX', [{ name: 'f', data: 'x\n', pax: { mtime: '1234567890.5' } }]),
    onBase('onto existing folders', 'ADD a.tar /x', {
      files: {
        'a.tar': packTar([
          { name: 'dir/', type: '5', mode: 0o777 },
          { name: 'dir/old', data: 'new\n' },
          { name: 'file', data: 'new\n' },
        ]),
      },
    }),
    onBase('a file onto a folder', 'ADD a.tar /x', {
      files: { 'a.tar': packTar([{ name: 'sticky', data: 'f\n' }]) },
    }),
    onBase('a folder onto a link', 'ADD a.tar /x', {
      files: {
        'a.tar': packTar([
          { name: 'to-dir/', type: '5' },
          { name: 'to-dir/f', data: 'f\n' },
        ]),
      },
    }),
    onBase('below a link', 'ADD a.tar /x/abs-dir/', {
      files: { 'a.tar': packTar([{ name: 'f', data: 'f\n' }]) },
    }),
    onBase('onto a file', 'ADD a.tar /x/file', { files: archives, ...fail }),
    scratch('http', 'ADD http://%SERVER%/file.txt /d/'),
    scratch('http to a name', 'ADD http://%SERVER%/file.txt /d/name'),
    scratch('http without a date', 'ADD http://%SERVER%/undated /d/'),
    scratch('http of a deep path', 'ADD http://%SERVER%/a/deep/path/name.bin /'),
    scratch('http of the root', 'ADD http://%SERVER%/ /d/'),
    scratch('http of a folder', 'ADD http://%SERVER%/dir/ /d/'),
    scratch('http with a query', 'ADD http://%SERVER%/query?x=1 /d/'),
    scratch('http moved', 'ADD http://%SERVER%/moved /d/'),
    scratch('http with a given name', 'ADD http://%SERVER%/named /d/'),
    scratch('http empty', 'ADD http://%SERVER%/empty /d/'),
    scratch('http of an archive', 'ADD http://%SERVER%/archive.tar.gz /d/'),
    scratch('http of an archive with --unpack', 'ADD --unpack http://%SERVER%/archive.tar.gz /d/'),
    scratch(
      'http with --unpack=true and an owner',
      'ADD --unpack=true --chown=1:2 http://%SERVER%/archive.tar /d/',
    ),
    scratch('http of an archive with --unpack=false', 'ADD --unpack=false http://%SERVER%/archive.tar /d/'),
    scratch('http missing', 'ADD http://%SERVER%/none /d/', fail),
    scratch('http with owner and mode', 'ADD --chown=1:2 --chmod=755 http://%SERVER%/file.txt /n/d/'),
    scratch('http with --link', 'ADD --link http://%SERVER%/file.txt /d/'),
    scratch('http by a variable', 'ARG u=http://%SERVER%\nADD $u/file.txt /d/'),
    scratch('http and a file', 'ADD http://%SERVER%/file.txt f /d/', { files: { f: 'f\n' } }),
    scratch(
      'http with the right checksum',
      'ADD --checksum=sha256:7e1a2c3ab9ffcd1c1e2c8f7a1d3c9f2b7c2c4e0ad4c4bd2f0ef3a3f1b3b8a111 http://%SERVER%/file.txt /d/',
      fail,
    ),
    scratch(
      'a checksum of a file',
      'ADD --checksum=sha256:7e1a2c3ab9ffcd1c1e2c8f7a1d3c9f2b7c2c4e0ad4c4bd2f0ef3a3f1b3b8a111 f /d/',
      { files: { f: 'f\n' }, ...fail },
    ),
    scratch('a checksum that is none', 'ADD --checksum=foo http://%SERVER%/file.txt /d/', fail),
    scratch('an unknown flag', 'ADD --from=x a /d/', fail),
  ],
};
