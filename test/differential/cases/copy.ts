/** COPY: sources, destinations, what exists already, owners and modes. */
import type { Case, Group, Tree } from '../types.js';

const tree: Tree = {
  f: 'f\n',
  exe: { text: '#!/bin/sh\n', mode: 0o755 },
  'd/a.txt': 'a\n',
  'd/b.md': 'b\n',
  'd/sub': { mode: 0o711 },
  'd/sub/c.txt': { text: 'c\n', mode: 0o600, mtime: 1_100_000_000 },
  'd/empty': { mode: 0o1777 },
  'links/to-f': { link: '../f' },
  'links/to-d': { link: '../d' },
  'links/abs': { link: '/d/a.txt' },
  'links/out': { link: '../../../../../f' },
  'links/dangling': { link: 'nowhere' },
};

/** A case with only COPY lines on the base. */
const copy = (name: string, lines: string, more: Partial<Case> = {}): Case => ({
  name,
  dockerfile: `FROM %BASE%\n${lines}\n`,
  files: tree,
  ...more,
});

const onScratch = (name: string, lines: string, more: Partial<Case> = {}): Case => ({
  name,
  dockerfile: `FROM scratch\n${lines}\n`,
  files: tree,
  ...more,
});

const rootTime =
  'BuildKit does not send the time of the context’s root, and writes the time of the transfer; we keep the root’s own.';

const cases: Case[] = [
  onScratch('a file to a file', 'COPY f /g'),
  onScratch('a file to a missing directory', 'COPY f /new/dir/'),
  onScratch('a file to a missing path without slash', 'COPY f /new/g'),
  onScratch('a destination that ends in /.', 'COPY f /new/.'),
  onScratch('a destination . without WORKDIR', 'COPY f .'),
  onScratch('a destination . after WORKDIR', 'WORKDIR /w\nCOPY f .'),
  onScratch('a relative destination after WORKDIR', 'WORKDIR /w\nCOPY f sub/g'),
  onScratch('a destination with .. after WORKDIR', 'WORKDIR /w/x\nCOPY f ../g'),
  onScratch('a destination that climbs above the root', 'COPY f ../../g'),
  onScratch('an empty directory', 'COPY d/empty /e'),
  onScratch('a directory to a missing one', 'COPY d /dest'),
  onScratch('a directory with trailing slashes', 'COPY d/ /dest/'),
  onScratch('a directory to the root', 'COPY d /'),
  onScratch('a source ending in /.', 'COPY d/. /dest'),
  onScratch('the whole context', 'COPY . /all', {
    differs: [{ line: /^(layer 0 )?\/?all\/?: /, reason: rootTime }],
  }),
  onScratch('a source that climbs', 'COPY ../../f /g'),
  onScratch('an absolute source', 'COPY /d/a.txt /g'),
  onScratch('several files to a directory', 'COPY f exe /bin/'),
  onScratch('several files to a path without slash', 'COPY f exe /dest'),
  onScratch('file and directory together', 'COPY f d /dest/'),
  onScratch('two directories merge', 'COPY d links /dest/'),
  onScratch('the same name twice', 'COPY f d/a.txt /dest/\nCOPY d/a.txt /dest/f'),
  onScratch('a JSON form with blanks in names', 'COPY ["f", "/with blank/g h"]'),
  onScratch('a quoted name in shell form', 'COPY "f" /g'),
  onScratch('an escaped blank in a name', 'COPY f /with\\ blank', { fails: /with/ }),
  onScratch('a missing source', 'COPY missing /g', { fails: /missing/ }),
  onScratch('a missing source among others', 'COPY f missing /g/', { fails: /missing/ }),
  onScratch('only one word', 'COPY f', { fails: /at least two arguments/ }),
  onScratch('a URL as source', 'COPY http://%SERVER%/file.txt /g', { fails: /URL/i }),
  onScratch('a git reference as source', 'COPY https://example.com/a.git /g', { fails: /git|URL/i }),
  // Wildcards.
  onScratch('a star', 'COPY d/*.txt /dest/'),
  onScratch('a star matches directories, whose content is copied', 'COPY d* /dest/'),
  onScratch('a star does not cross a slash', 'COPY */c.txt /dest/'),
  onScratch('a star for a directory level', 'COPY d/*/c.txt /dest/'),
  onScratch('a question mark', 'COPY ? /dest/'),
  onScratch('a character class', 'COPY d/[ab].* /dest/'),
  onScratch('a negated class', 'COPY d/[^a]* /dest/'),
  onScratch('a wildcard that matches nothing', 'COPY nothing* /dest/'),
  onScratch('a wildcard that matches nothing beside a file', 'COPY nothing* f /dest/'),
  onScratch('a broken class', 'COPY [a /dest/', { fails: /./ }),
  onScratch('an escaped star', 'COPY \\*.txt /dest/'),
  onScratch('a wildcard over links', 'COPY links/to-* /dest/'),
  // Links in the source.
  onScratch('a link to a file is followed', 'COPY links/to-f /g'),
  onScratch('a link to a file keeps its name below a directory', 'COPY links/to-f /dest/'),
  onScratch('a link to a directory is followed', 'COPY links/to-d /dest'),
  onScratch('a link to a directory with slash', 'COPY links/to-d/ /dest'),
  onScratch('an absolute link is taken from the root of the context', 'COPY links/abs /g'),
  onScratch('a climbing link stays in the context', 'COPY links/out /g'),
  onScratch('a path through a link', 'COPY links/to-d/a.txt /g'),
  onScratch('a dangling link', 'COPY links/dangling /g', { fails: /./ }),
  onScratch('links inside a directory stay links', 'COPY links /dest'),
  // Existing destinations.
  copy('a file over a file', 'COPY f /x/file'),
  copy('a file over one of two hard links', 'COPY f /x/hard'),
  copy('a file into an existing directory', 'COPY f /x/dir'),
  copy('a file over a link to a file', 'COPY f /x/to-file'),
  copy('a file over a link to a directory', 'COPY f /x/to-dir'),
  copy('a file below a link to a directory', 'COPY f /x/to-dir/g'),
  copy('a file below an absolute link', 'COPY f /x/abs-dir/'),
  copy('a file below a link that climbs', 'COPY f /x/up/'),
  copy('a file over a dangling link', 'COPY f /x/nowhere'),
  copy('a file below a dangling link', 'COPY f /x/nowhere/'),
  copy('a file over a link to itself', 'COPY f /x/loop', { fails: /./ }),
  copy('a file below a link to itself', 'COPY f /x/loop/g', { fails: /./ }),
  copy('a file below a file', 'COPY f /x/file/g', { fails: /./ }),
  copy('a file to a file with a slash', 'COPY f /x/file/', { fails: /./ }),
  copy('a directory over a file', 'COPY d /x/file', { fails: /./ }),
  copy('a directory onto a directory', 'COPY d /x/dir'),
  copy('a directory onto a link to a directory', 'COPY d /x/to-dir'),
  copy('a directory onto a link to a file', 'COPY d /x/to-file', { fails: /./ }),
  copy('a directory onto a dangling link', 'COPY d /x/nowhere'),
  copy('a file where the source has a directory', 'COPY t /x', {
    files: { 't/file/inner': 'i\n' },
    fails: /./,
  }),
  copy('a directory where the source has a file', 'COPY t /x', {
    files: { 't/dir': 'no dir\n' },
    fails: /./,
  }),
  copy('a link where the source has a directory', 'COPY t /x', {
    files: { 't/to-dir/inner': 'i\n' },
    fails: /./,
  }),
  copy('a link where the source has a file', 'COPY t /x', {
    files: { 't/to-file': 'new\n', 't/to-dir': 'new\n' },
  }),
  copy('a file where the source has a link', 'COPY t /x', { files: { 't/file': { link: 'gone' } } }),
  copy('a directory where the source has a link', 'COPY t /x', {
    files: { 't/dir': { link: 'gone' } },
    fails: /./,
  }),
  copy('a link where the source has a link', 'COPY t /x', { files: { 't/to-dir': { link: 'other' } } }),
  copy('an existing sub-directory gets mode and owner of the source', 'COPY t /x', {
    files: { 't/dir': { mode: 0o700 }, 't/dir/sub/n': 'n\n' },
  }),
  copy('the sticky bit of an existing destination stays', 'COPY d /tmp'),
  copy('the same file again', 'COPY f /x/file\nCOPY f /x/file'),
];

export const copyGroup: Group = { name: 'copy', cases };
