/** Flags of COPY: owners, modes, --link, --parents, --exclude, --from. */
import type { Case, Group, Tree } from '../types.js';
import { build } from './make.js';

const tree: Tree = {
  f: 'f\n',
  exe: { text: '#!/bin/sh\n', mode: 0o755 },
  'd/a.txt': 'a\n',
  'd/b.md': 'b\n',
  'd/sub': { mode: 0o711 },
  'd/sub/c.txt': { text: 'c\n', mode: 0o600 },
  'd/sub/deeper/e.txt': 'e\n',
  'd/link': { link: 'a.txt' },
  'd/setuid': { text: 's\n', mode: 0o6755 },
  home1: 'file home1\n',
  'homedir/h.txt': 'h\n',
};

const scratch = (name: string, lines: string, more: Partial<Case> = {}) =>
  build(name, `FROM scratch\n${lines}\n`, { files: tree, ...more });
const base = (name: string, lines: string, more: Partial<Case> = {}) =>
  build(name, `FROM %BASE%\n${lines}\n`, { files: tree, ...more });
/** Files of another stage, with owners. */
const stage = (name: string, lines: string, more: Partial<Case> = {}) =>
  build(
    name,
    `FROM %BASE% AS src\nCOPY --chown=11:12 d /s/d\nCOPY --chown=13:14 --chmod=4751 f /s/f\nFROM %BASE%\n${lines}\n`,
    { files: tree, ...more },
  );

const fail = { fails: /./ };
const etcTime = {
  line: /^(layer 0 )?\/?etc\/?: /,
  reason:
    'BuildKit leaves /etc the time at which it made /etc/hosts for the step and removed it; here it stays as it was.',
};

export const ownersGroup: Group = {
  name: 'owners',
  cases: [
    scratch('numbers', 'COPY --chown=5:6 f /n/g'),
    scratch('a number alone is the group too', 'COPY --chown=5 f /n/g'),
    scratch('a directory and what is in it', 'COPY --chown=5:6 d /n/d'),
    scratch('an empty user', 'COPY --chown=:6 f /n/g'),
    scratch('an empty group', 'COPY --chown=5: f /n/g'),
    scratch('an empty value', 'COPY --chown= f /n/g'),
    scratch('root by name on scratch', 'COPY --chown=root:root f /g'),
    scratch('a name on scratch', 'COPY --chown=anna f /g', fail),
    scratch('a name on a layer without passwd', 'COPY f /f\nCOPY --chown=anna:staff f /g'),
    scratch('a group name on scratch', 'COPY --chown=5:staff f /g', fail),
    scratch('a big number', 'COPY --chown=60000:60001 f /g'),
    scratch('a negative number', 'COPY --chown=-1:6 f /g'),
    scratch('three parts', 'COPY --chown=1:2:3 f /g', fail),
    scratch('a variable', 'ARG U=7\nENV G=8\nCOPY --chown=$U:${G} f /g'),
    base('a user name', 'COPY --chown=anna f /g'),
    base('a user and a group name', 'COPY --chown=anna:staff f /g'),
    base('a user name and a number', 'COPY --chown=anna:77 f /g'),
    base('a number and a group name', 'COPY --chown=77:audio f /g'),
    base('an unknown user', 'COPY --chown=nobody:staff f /g'),
    base('an unknown group', 'COPY --chown=anna:nogroup f /g'),
    base('a number and an unknown group', 'COPY --chown=77:nogroup f /g'),
    base('two colons', 'COPY --chown=1:2:3 f /g'),
    base('a name of digits', 'COPY --chown=7000 f /g'),
    base('an existing directory keeps its owner', 'COPY --chown=anna d /x/dir'),
    base('an existing file gets the new owner', 'COPY --chown=bert f /x/file'),
    base('a user made by RUN', 'RUN echo new:x:88:99::/:/bin/sh >> /etc/passwd\nCOPY --chown=new f /g', {
      differs: [etcTime],
    }),
    base(
      'passwd by a link',
      'RUN mv /etc/passwd /pw && ln -s ../../../pw /etc/passwd\nCOPY --chown=anna f /g',
    ),
    base('USER does not own copies', 'USER anna\nCOPY f /g'),
    base('twice', 'COPY --chown=1 --chown=2 f /g', fail),
    stage('a stage keeps its owners', 'COPY --from=src /s /t'),
    stage('a stage with --chown', 'COPY --from=src --chown=anna:audio /s /t'),
    stage(
      'the names come from the destination',
      'RUN echo only:x:3:4:: > /etc/passwd\nCOPY --from=src --chown=only /s/f /t',
      { differs: [etcTime] },
    ),
    base('ADD of files', 'ADD --chown=anna:staff d /n/d'),
  ],
};

export const modesGroup: Group = {
  name: 'modes',
  cases: [
    scratch('octal on a file', 'COPY --chmod=640 f /g'),
    scratch('octal on the implied parents', 'COPY --chmod=640 f /n/m/g'),
    scratch('octal with a leading zero', 'COPY --chmod=0755 f /g'),
    scratch('octal on a directory tree', 'COPY --chmod=751 d /n'),
    scratch('octal with setuid and sticky', 'COPY --chmod=7755 f /g'),
    scratch('octal zero', 'COPY --chmod=0 f /g'),
    scratch('octal that is too big', 'COPY --chmod=17777 f /g', fail),
    scratch('a digit that is not octal', 'COPY --chmod=888 f /g', fail),
    scratch('nonsense', 'COPY --chmod=abc f /g', fail),
    scratch('an empty value', 'COPY --chmod= f /g'),
    scratch('symbolic +x', 'COPY --chmod=+x f /g'),
    scratch('symbolic for classes', 'COPY --chmod=u=rwx,g=rx,o= d /n'),
    scratch('symbolic minus', 'COPY --chmod=go-rwx d /n'),
    scratch('symbolic X', 'COPY --chmod=a=rX d /n'),
    scratch('symbolic +X', 'COPY --chmod=go+X d /n'),
    scratch('symbolic setuid', 'COPY --chmod=u+s f /g'),
    scratch('symbolic sticky', 'COPY --chmod=+t d /n'),
    scratch('symbolic copies a class', 'COPY --chmod=g=u exe /g'),
    scratch('symbolic with implied parents', 'COPY --chmod=o-r f /n/m/g'),
    scratch('symbolic nonsense', 'COPY --chmod=z+x f /g', fail),
    scratch('a variable', 'ARG M=711\nCOPY --chmod=$M f /g'),
    scratch('with --chown', 'COPY --chmod=4711 --chown=5:6 f /n/g'),
    base('an existing directory keeps its mode', 'COPY --chmod=777 d /x/dir'),
    base('an existing file', 'COPY --chmod=777 f /x/file'),
    stage('of a stage', 'COPY --from=src --chmod=u-s,o+w /s /t'),
    scratch('ADD of files', 'ADD --chmod=700 d /n'),
    scratch('source modes are kept', 'COPY d/setuid exe /n/'),
  ],
};

export const linkGroup: Group = {
  name: 'link',
  cases: [
    scratch('a file', 'COPY --link f /g'),
    scratch('a file to a missing directory', 'COPY --link f /n/m/'),
    scratch('a directory', 'COPY --link d /n/d'),
    scratch('--link=true', 'COPY --link=true f /g'),
    scratch('--link=false', 'COPY --link=false f /g'),
    scratch('--link= of another word', 'COPY --link=maybe f /g', fail),
    scratch('after WORKDIR', 'WORKDIR /w\nCOPY --link f .\nCOPY --link f sub/'),
    base('an existing directory gets mode 0755', 'COPY --link f /tmp/g'),
    base('links in the destination are not followed', 'COPY --link f /x/to-dir/g'),
    base('over a link', 'COPY --link f /x/to-file'),
    base('over a file', 'COPY --link f /x/file'),
    base('a directory over a file', 'COPY --link d /x/file'),
    base('a file over a directory', 'COPY --link f /x/dir'),
    base('numbers as owner', 'COPY --link --chown=5:6 f /n/g'),
    base('a name as owner', 'COPY --link --chown=anna f /n/g', fail),
    base('with a mode', 'COPY --link --chmod=700 f /x/to-dir/g'),
    base('from a stage', 'COPY --link --from=%BASE% /x/dir /y'),
    base('a wildcard', 'COPY --link d/*.txt /n/'),
    base('a wildcard that matches nothing', 'COPY --link *.none /n/'),
    base('ADD --link', 'ADD --link f /n/g'),
    base('several in a row', 'COPY --link f /1/\nCOPY --link exe /2/\nRUN cat /1/f /2/exe > /3'),
  ],
};

export const parentsGroup: Group = {
  name: 'parents',
  cases: [
    scratch('a file', 'COPY --parents d/sub/c.txt /n/'),
    scratch('a directory', 'COPY --parents d/sub /n/'),
    scratch('several sources', 'COPY --parents f d/a.txt d/sub/deeper /n/'),
    scratch('a wildcard', 'COPY --parents d/*.txt /n/'),
    scratch('a double star', 'COPY --parents d/**/*.txt /n/'),
    scratch('a double star in front', 'COPY --parents **/*.txt /n/'),
    scratch('a pivot', 'COPY --parents d/./sub/c.txt /n/'),
    scratch('a pivot in front', 'COPY --parents ./d/sub/c.txt /n/'),
    scratch('a pivot with a wildcard', 'COPY --parents d/./sub/** /n/'),
    scratch('a pivot at the end', 'COPY --parents d/./ /n/'),
    scratch('a missing file', 'COPY --parents d/none /n/', fail),
    scratch('a wildcard that matches nothing', 'COPY --parents d/*.none /n/'),
    scratch('with owner and mode', 'COPY --parents --chown=5:6 --chmod=700 d/sub/c.txt /n/'),
    scratch('with --exclude', 'COPY --parents --exclude=**/c.txt d /n/'),
    scratch('with --link', 'COPY --parents --link d/sub/c.txt /n/'),
    scratch('a destination without slash', 'COPY --parents d/sub/c.txt /n'),
    scratch('a link in the way', 'COPY --parents l/a.txt /n/', {
      fails: /./,
      files: { ...tree, l: { link: 'd' } },
    }),
    scratch('an absolute source', 'COPY --parents /d/a.txt /n/'),
    base('existing directories', 'COPY --parents x/dir/new /', {
      files: { 'x/dir': { mode: 0o777 }, 'x/dir/new': 'n\n' },
    }),
    stage('from a stage', 'COPY --from=src --parents /s/d/sub /t/'),
    stage('from a stage with a pivot', 'COPY --from=src --parents /s/./d/**/*.txt /t/'),
    scratch('ADD --parents', 'ADD --parents d/a.txt /n/', fail),
  ].map((item) => ({
    ...item,
    peerLacks: 'the flag, which its built-in frontend has only in the labs channel',
  })),
};

export const excludeGroup: Group = {
  name: 'exclude',
  cases: [
    scratch('files of a directory', 'COPY --exclude=*.txt d /n/'),
    scratch('at any depth', 'COPY --exclude=**/*.txt d /n/'),
    scratch('a directory', 'COPY --exclude=sub d /n/'),
    scratch('a directory with a slash', 'COPY --exclude=sub/ d /n/'),
    scratch('what is below a directory', 'COPY --exclude=sub/** d /n/'),
    scratch('twice', 'COPY --exclude=*.md --exclude=link d /n/'),
    scratch('an exception', 'COPY --exclude=** --exclude=!sub/c.txt d /n/', {
      differs: [
        {
          line: /n\/sub\/?: /,
          reason: 'BuildKit makes the folders above an exception late and leaves them the time of the build.',
        },
      ],
    }),
    scratch('the source itself is never excluded', 'COPY --exclude=*.txt d/a.txt d/sub /n/'),
    scratch('the source of a wildcard', 'COPY --exclude=home1 --exclude=*.txt home* /n/'),
    scratch('the context', 'COPY --exclude=d --exclude=Dockerfile . /n/', {
      differs: [
        { line: /^(layer 0 )?\/?n\/?: /, reason: 'BuildKit does not send the time of the context’s root.' },
      ],
    }),
    scratch('everything', 'COPY --exclude=* d /n/'),
    scratch('nothing', 'COPY --exclude=none d /n/'),
    scratch('a variable is not expanded', 'ENV x=sub\nCOPY --exclude=$x d /n/'),
    scratch('an empty pattern', 'COPY --exclude= d /n/'),
    scratch('a broken pattern', 'COPY --exclude=[ d /n/', fail),
    scratch('with --link', 'COPY --link --exclude=*.txt d /n/'),
    stage('from a stage', 'COPY --from=src --exclude=*.txt /s/d /t'),
    scratch('ADD --exclude', 'ADD --exclude=*.txt d /n/'),
  ],
};
