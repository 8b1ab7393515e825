/** .dockerignore, contexts and the place of the Dockerfile. */
import type { Case, Difference, Group, Tree } from '../types.js';
import { build } from './make.js';

const tree: Tree = {
  a: 'a\n',
  'b.txt': 'b\n',
  'dir/c': 'c\n',
  'dir/d.txt': 'd\n',
  'dir/sub/e': 'e\n',
  'dir/sub/f.txt': 'f\n',
  'keep/deep/g': 'g\n',
  'keep/deep/h': 'h\n',
  'Case/x': 'x\n',
  '[x]': 'brackets\n',
};
const rootTime: Difference = {
  line: /^(layer 0 )?\/?d\/?: /,
  reason: 'BuildKit does not send the time of the context’s root.',
};
const ignore = (name: string, patterns: string, more: Partial<Case> = {}) =>
  build(name, 'FROM scratch\nCOPY . /d\n', {
    files: { ...tree, '.dockerignore': patterns },
    differs: [rootTime],
    ...more,
  });
const fail = { fails: /./ };

export const ignoreGroup: Group = {
  name: 'ignore',
  sameForEverybody: 'the context is read before the builder’s privileges matter',
  cases: [
    ignore('nothing', ''),
    ignore('a file', 'a\n'),
    ignore('a folder', 'dir\n'),
    ignore('a folder with slash', 'dir/\n'),
    ignore('a leading slash', '/dir/c\n'),
    ignore('a leading dot', './dir/../a\n'),
    ignore('a star', '*.txt\n'),
    ignore('a star in a folder', '*/*.txt\n'),
    ignore('a double star', '**/*.txt\n'),
    ignore('a double star at the end', 'dir/**\n'),
    ignore('a double star in the middle', 'dir/**/f.txt\n'),
    ignore('everything', '*\n'),
    ignore('everything by a double star', '**\n'),
    ignore('everything but one', '*\n!a\n'),
    ignore('everything but a deep file', '*\n!keep/deep/g\n'),
    ignore('an exception below a folder', 'keep\n!keep/deep/g\n'),
    ignore('an exception that is ignored again', '*\n!dir\ndir/sub\n'),
    ignore('the last pattern wins', '!a\na\n'),
    ignore('an exception first', '!dir/c\ndir\n'),
    ignore('an exception of a star', 'dir/*\n!dir/*.txt\n'),
    ignore('comments and blank lines', '# a\n\n  \na\n #dir\n'),
    ignore('blanks around', '  a  \n\tdir\t\n'),
    ignore('CRLF', 'a\r\ndir\r\n'),
    ignore('a BOM', '\uFEFFa\n'),
    ignore('case matters', 'case\nA\n'),
    ignore('a question mark', '?\n'),
    ignore('a class', '[ab]*\n'),
    ignore('a range', 'dir/[c-d]*\n'),
    ignore('an escape', '\\[x\\]\n'),
    ignore('a broken class', '[a\n', fail),
    ignore('a blank after the exclamation mark', '*\n! a\n'),
    ignore('only an exclamation mark', '!\n', fail),
    ignore('the Dockerfile', 'Dockerfile\n.dockerignore\n'),
    ignore('an ignored source', 'a\n', { dockerfile: 'FROM scratch\nCOPY a /d/\n', ...fail }),
    ignore('an ignored source by a wildcard', 'a\n', { dockerfile: 'FROM scratch\nCOPY a* /d/\n' }),
    ignore('parents of exceptions', '**\n!**/*.txt\n'),
    build('Dockerfile.dockerignore is preferred', 'FROM scratch\nCOPY . /d\n', {
      files: { ...tree, '.dockerignore': 'a\n', 'Dockerfile.dockerignore': 'dir\n' },
      differs: [rootTime],
    }),
    build('the one of another Dockerfile', 'FROM scratch\n', {
      files: { ...tree, 'other/D': 'FROM scratch\nCOPY . /d\n', 'other/D.dockerignore': 'dir\nother\n' },
      options: ['-f', '%CONTEXT%/other/D'],
      differs: [rootTime],
    }),
  ],
};

const context = (name: string, value: string, more: Partial<Case> = {}) =>
  build(name, 'FROM scratch\nCOPY --from=extra . /d\n', {
    options: ['--build-context', `extra=${value}`],
    trees: { extra: { n: 'n\n', 'm/o': 'o\n', '.dockerignore': 'm\n' } },
    differs: [rootTime],
    ...more,
  });

export const contextsGroup: Group = {
  name: 'contexts',
  cases: [
    build('a Dockerfile elsewhere', 'FROM scratch\nLABEL wrong=1\n', {
      trees: { t: { D: 'FROM scratch\nCOPY f /f\n' } },
      files: { f: 'f\n' },
      options: ['-f', '%DIR%/trees/t/D'],
    }),
    build('a Dockerfile on standard input', 'FROM scratch\nLABEL wrong=1\n', {
      files: { f: 'f\n' },
      options: ['-f', '-'],
      stdin: 'FROM scratch\nCOPY f /f\n',
    }),
    { name: 'only a Dockerfile on standard input', context: '-', stdin: 'FROM scratch\nLABEL a=1\n' },
    { name: 'a context that is not there', context: '%DIR%/none', ...fail },
    { name: 'a context without a Dockerfile', files: { f: 'f\n' }, ...fail },
    { name: 'a dockerfile in small letters', files: { dockerfile: 'FROM scratch\nLABEL a=1\n' } },
    build('a Dockerfile that is not there', 'FROM scratch\n', { options: ['-f', '%CONTEXT%/none'], ...fail }),
    { name: 'a Dockerfile that is a folder', files: { 'Dockerfile/x': 'x\n' }, ...fail },
    {
      name: 'a Dockerfile that is a link',
      files: { real: 'FROM scratch\nLABEL a=1\n', Dockerfile: { link: 'real' } },
    },
    context('a folder', '%DIR%/trees/extra'),
    context('a folder that is not there', '%DIR%/trees/none', fail),
    context('an image', 'docker-image://%BASE%', {
      dockerfile: 'FROM scratch\nCOPY --from=extra /x/dir /d\n',
      differs: [],
    }),
    context('an image as base', 'docker-image://%BASE%', {
      dockerfile: 'FROM extra\nLABEL a=1\n',
      differs: [],
    }),
    context('in place of an image', 'docker-image://%BASE%', {
      options: ['--build-context', 'example.invalid/x:1=docker-image://%BASE%'],
      dockerfile: 'FROM example.invalid/x:1\nLABEL a=1\n',
      differs: [],
    }),
    context('in place of a stage', '%DIR%/trees/extra', {
      dockerfile: 'FROM scratch AS extra\nCOPY none /\nFROM scratch\nCOPY --from=extra n /d/\n',
      differs: [],
    }),
    context('in a mount', '%DIR%/trees/extra', {
      dockerfile: 'FROM %BASE%\nRUN --mount=from=extra,target=/m ls -A /m > /o\n',
      differs: [],
    }),
    context('a folder as base', '%DIR%/trees/extra', { dockerfile: 'FROM extra\nLABEL a=1\n', differs: [] }),
    context('in capitals', '%DIR%/trees/extra', {
      dockerfile: 'FROM scratch\nCOPY --from=EXTRA n /d/\n',
      differs: [],
      ...fail,
    }),
    context('scratch cannot be replaced', '%DIR%/trees/extra', {
      options: ['--build-context', 'scratch=docker-image://%BASE%'],
      dockerfile: 'FROM scratch\nLABEL a=1\n',
      differs: [],
    }),
  ],
};
