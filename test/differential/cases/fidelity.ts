/** Files that are easily changed on their way: names of any bytes, long ones, times, links, kinds. */
import { packTar } from '../../support/tar.js';
import type { Case, Group } from '../types.js';
import { onBase } from './make.js';

/** One file for every byte that a name can hold. */
const everyByte = `RUN mkdir /n && cd /n && i=1 && while [ $i -lt 256 ]; do \\
 [ $i = 47 ] || { n="$(printf "a\\\\$(printf %03o $i)z")"; echo $i > "$n"; }; i=$((i+1)); done`;

const long = 'n'.repeat(255);
const deep = Array.from({ length: 15 }, () => 'd'.repeat(250)).join('/');
const wide = 'ü'.repeat(127);

function staged(name: string, make: string, copy: string, more: Partial<Case> = {}): Case {
  return { name, dockerfile: `FROM %BASE% AS a\n${make}\nFROM scratch\n${copy}\n`, ...more };
}

const capability = packTar([
  {
    name: 'cap',
    mode: 0o755,
    data: 'x',
    pax: { 'SCHILY.xattr.security.capability': '\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0' },
  },
]);

export const namesGroup: Group = {
  name: 'names',
  cases: [
    onBase('every byte in RUN', everyByte),
    staged('every byte in COPY of a folder', everyByte, 'COPY --from=a /n /n'),
    staged('every byte in COPY by a question mark', everyByte, 'COPY --from=a /n/a?z /w/'),
    staged('every byte in COPY by a star', everyByte, 'COPY --from=a /n/a*z /w/'),
    staged('every byte in COPY by a negated class', everyByte, 'COPY --from=a /n/a[!a-z]z /w/'),
    onBase(
      'bytes that are no text are removed, replaced and linked',
      `${everyByte}
RUN cd /n && rm "$(printf 'a\\377z')" && mv "$(printf 'a\\376z')" "$(printf 'a\\375z')" && ln "$(printf 'a\\374z')" "$(printf '\\303')" && ln -s "$(printf '\\377')" l`,
    ),
    onBase(
      'a folder whose name is no text is removed and made anew',
      `RUN mkdir "$(printf '/x/\\377')" && touch "$(printf '/x/\\377/a')"
RUN rm -r "$(printf '/x/\\377')"
RUN mkdir "$(printf '/x/\\377')" && touch "$(printf '/x/\\377/b')"`,
    ),
    onBase('line ends, tabs and quotes of the context', 'COPY d /d\nCOPY d/a* /e/', {
      files: {
        'd/a\nb': '1',
        'd/a\tb': '2',
        'd/a"b': '3',
        "d/a'b": '4',
        'd/a\\b': '5',
        'd/ ': '6',
        'd/a\u0001': '7',
      },
    }),
    onBase('ignored by a pattern with a line end in the name', 'COPY d /d', {
      files: { 'd/a\nb': '1', 'd/ab': '2', 'd/a\nc': '3', '.dockerignore': 'd/a?b\n' },
    }),
    onBase('names of 255 bytes', `COPY ${long} ${wide} /d/`, { files: { [long]: '1', [wide]: '2' } }),
    onBase(
      'a path of almost 4096 bytes',
      `RUN mkdir -p /${deep} && touch /${deep}/f && ln /${deep}/f /${deep}/g`,
    ),
    staged(
      'a path of almost 4096 bytes is copied',
      `RUN mkdir -p /t/${deep} && touch /t/${deep}/f`,
      'COPY --from=a /t /t',
    ),
  ],
};

export const fidelityGroup: Group = {
  name: 'fidelity',
  cases: [
    onBase(
      'times before 1970',
      [
        "RUN touch -d '1969-12-31 23:59:58' /a && touch -d '1912-03-04 05:06:07' /b",
        "RUN touch -d @0 /c && mkdir /t && touch -d '1950-01-01 00:00:00' /t",
      ].join('\n'),
    ),
    staged(
      'times before 1970 are copied',
      "RUN mkdir /t && touch -d '1969-12-31 23:59:57' /t/a && touch -d '1912-03-04 05:06:07' /t/b && touch -d '1950-01-01 00:00:00' /t",
      'COPY --from=a /t /t',
    ),
    staged(
      'a sparse file is copied',
      'RUN mkdir /t && truncate -s 9000000 /t/s && echo x >> /t/s',
      'COPY --from=a /t /t',
    ),
    staged(
      'set-id and sticky bits are copied',
      'RUN mkdir -m 3777 /t && touch /t/a && chown 5:6 /t/a && chmod 6755 /t/a && ln /t/a /t/b',
      'COPY --from=a /t /t/\nCOPY --from=a --chown=7:8 /t /u/\nCOPY --from=a --link /t /v/',
    ),
    staged(
      'a capability is copied',
      'ADD a.tar /t/',
      'COPY --from=a /t /t\nCOPY --from=a --chmod=711 /t/cap /m\nCOPY --from=a --chown=5 /t/cap /o',
      {
        files: { 'a.tar': { text: capability } },
      },
    ),
    onBase('a capability goes with a new owner', 'ADD a.tar /t/\nRUN chown 5 /t/cap', {
      files: { 'a.tar': { text: capability } },
    }),
    staged('a character device is copied', 'RUN mkdir /t && mknod -m 620 /t/c c 1 3', 'COPY --from=a /t /t', {
      rootOnly: 'an ordinary user makes no devices',
    }),
    staged(
      'a block device is copied',
      'RUN mkdir /t && mknod -m 620 /t/b b 259 70000',
      'COPY --from=a /t /t',
      {
        rootOnly: 'an ordinary user makes no devices',
        differs: [{ line: /^(layer 0 t|\/t)\/b: /, reason: 'BuildKit makes a character device of it' }],
      },
    ),
    onBase(
      'hard links in several layers',
      [
        'COPY d /d',
        'RUN ln /d/a /d/c && ln /d/b /e',
        'RUN echo more >> /d/c',
        'RUN rm /d/a && ln /e /d/a',
      ].join('\n'),
      { files: { 'd/a': '1', 'd/b': { hard: 'd/a' } } },
    ),
  ],
};
