/** RUN: forms, environment, what it leaves in its layer, mounts, network and security. */
import type { Case, Group } from '../types.js';
import { build, onBase, scratch } from './make.js';

const fail = { fails: /./ };
const files = { f: 'f\n', 'd/a': 'a\n', 'd/b': { text: 'b\n', mode: 0o600 } };

export const runGroup: Group = {
  name: 'run',
  cases: [
    onBase('shell form', 'RUN echo "a  b" \'$x\' > /f'),
    onBase('JSON form', 'RUN ["touch", "/a b", "$HOME"]\nRUN ["cp", "/etc/group", "/g"]'),
    onBase('JSON form that is none', "RUN ['touch', '/f']", fail),
    onBase('a JSON form without a program', 'RUN ["nothing"]', fail),
    onBase('an empty list', 'RUN []', fail),
    onBase('nothing', 'RUN'),
    onBase('over lines with comments', 'RUN echo a > /f && \\\n  # comment\n  echo b >> /f'),
    onBase('a status', 'RUN exit 3', fail),
    onBase('a signal', "RUN sh -c 'kill -9 $$' & wait $!", fail),
    onBase('nothing changes', 'RUN true'),
    onBase('the same twice', 'RUN true\nRUN true'),
    onBase('standard input is empty', 'RUN cat > /f'),
    onBase(
      'the environment',
      'ENV b=2 a=1\nARG c=3\nRUN env | grep -v -e OTEL -e TRACEPARENT -e ^SHLVL | sort > /f',
    ),
    onBase(
      'the environment’s order',
      'ENV b=2 a=1\nARG c=3\nRUN xargs -0 -n 1 echo < /proc/self/environ | grep -e ^a= -e ^b= -e ^c= > /f',
    ),
    onBase('umask', 'RUN umask > /f; touch /g; mkdir /d'),
    onBase('SHELL', 'SHELL ["/bin/sh", "-e", "-x", "-c"]\nRUN echo "$-" > /f'),
    onBase('SHELL that does not exist', 'SHELL ["/none"]\nRUN x', fail),
    scratch('no shell on scratch', 'RUN true', fail),
    onBase('hostname', 'RUN hostname > /f'),
    onBase('limits and capabilities', 'RUN grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status > /f'),
    onBase('the process id', 'RUN echo $$ > /f', {
      differs: [
        {
          line: /f: /,
          reason: 'The step runs under a small init, which reaps processes: it is process 2 here, 1 there.',
        },
      ],
    }),
    onBase('devices', 'RUN ls /dev | sort > /f'),
    onBase(
      'shared memory',
      'RUN df -k /dev/shm | tail -n 1 | tr -s " " | cut -d " " -f 2 > /f; stat -c %a /dev/shm >> /f',
    ),
    onBase(
      'read-only files of the kernel',
      'RUN (echo 1 > /proc/sys/kernel/panic) 2> /dev/null || echo no > /f',
    ),
    onBase('unknown flag', 'RUN --foo=1 true', fail),
    onBase('network none', 'RUN --network=none ls /sys/class/net > /f'),
    onBase('network default', 'RUN --network=default true'),
    onBase('network of another word', 'RUN --network=foo true', fail),
    onBase('security sandbox', 'RUN --security=sandbox true', {
      peerLacks: 'the flag, which its built-in frontend has only in the labs channel',
    }),
    onBase('security insecure is not allowed', 'RUN --security=insecure true', fail),
    onBase('security of another word', 'RUN --security=foo true', fail),
    onBase('hosts', 'RUN grep example.invalid /etc/hosts > /f', {
      options: ['--add-host', 'example.invalid:192.0.2.1'],
    }),
    onBase(
      'mount points leave no trace',
      'RUN --mount=type=tmpfs,target=/t/u touch /t/u/x; ls /proc > /dev/null',
    ),
    onBase('resolv.conf and hosts leave no trace', 'RUN cat /etc/resolv.conf /etc/hosts > /dev/null'),
    onBase('hosts cannot be removed', 'RUN rm /etc/hosts', fail),
  ],
};

export const changesGroup: Group = {
  name: 'changes',
  cases: [
    onBase('a file is made', 'RUN echo x > /f'),
    onBase('a file is changed', 'RUN echo more >> /x/file'),
    onBase('one of two hard links is changed', 'RUN echo more >> /x/hard'),
    onBase('a file is removed', 'RUN rm /x/file'),
    onBase('a directory is removed', 'RUN rm -r /x/dir'),
    onBase(
      'a directory is removed and made again',
      'RUN rm -r /x/dir && mkdir /x/dir && echo n > /x/dir/new',
    ),
    onBase(
      'a directory is removed and made again with an old name',
      'RUN rm -r /x/dir && mkdir /x/dir && echo n > /x/dir/old',
    ),
    onBase('an empty directory again', 'RUN rm -r /x/dir && mkdir /x/dir'),
    onBase('a sub-directory again', 'RUN rm -r /x/dir/sub && mkdir -p /x/dir/sub/deep'),
    onBase('what was made is removed', 'RUN echo x > /f\nRUN rm /f'),
    onBase('made and removed at once', 'RUN echo x > /f && rm /f'),
    onBase('a removed file comes again', 'RUN rm /x/file\nRUN echo y > /x/file'),
    onBase('a removed directory comes again', 'RUN rm -r /x/dir\nRUN mkdir /x/dir && echo y > /x/dir/z'),
    onBase('a removed directory comes again by COPY', 'RUN rm -r /x/dir\nCOPY d /x/dir', { files }),
    onBase('a file becomes a directory', 'RUN rm /x/file && mkdir /x/file && echo x > /x/file/in'),
    onBase('a directory becomes a file', 'RUN rm -r /x/dir && echo x > /x/dir'),
    onBase('a directory becomes a link', 'RUN rm -r /x/dir && ln -s sticky /x/dir'),
    onBase('a link becomes a directory', 'RUN rm /x/to-dir && mkdir /x/to-dir'),
    onBase('a link becomes a file', 'RUN rm /x/to-file && echo x > /x/to-file'),
    onBase('a link gets another target', 'RUN ln -sfn other /x/to-dir'),
    onBase('a file becomes a fifo', 'RUN rm /x/file && mkfifo -m 640 /x/file'),
    onBase('a file is renamed', 'RUN mv /x/file /x/moved'),
    onBase('a directory is renamed', 'RUN mv /x/dir /x/moved'),
    onBase('the mode of a file', 'RUN chmod 711 /x/file'),
    onBase('the mode of a directory', 'RUN chmod 700 /x/dir'),
    onBase('the owner of a file', 'RUN chown anna:audio /x/file'),
    onBase('the owner of a directory tree', 'RUN chown -R 5:6 /x/dir'),
    onBase('the owner of a link', 'RUN chown -h 5:6 /x/to-dir'),
    onBase('setuid is kept', 'RUN chmod 6755 /x/file; echo x > /n; chmod 1777 /n'),
    onBase('a file of another time', 'RUN touch -d @1234567890 /x/file /new'),
    onBase('a directory of another time', 'RUN touch -d @1234567890 /x/dir'),
    onBase('only read', 'RUN cat /x/file > /dev/null; ls -R /x > /dev/null'),
    onBase('the same mode again', 'RUN chmod 640 /x/file; chmod 750 /x/dir'),
    onBase('hard links of new files', 'RUN echo x > /b && ln /b /a && ln /b /c'),
    onBase('a hard link to a file of the base', 'RUN ln /x/setuid /x/again'),
    onBase('one hard link is removed', 'RUN rm /x/hard'),
    onBase('an empty file', 'RUN : > /e'),
    onBase('a sparse file', 'RUN truncate -s 100000 /s'),
    onBase(
      'names with blanks, quotes and line ends',
      'RUN touch "/a b" "/c\'d" "/e\\"f" "$(printf \'/g\\nh\')" /ü',
    ),
    onBase(
      'a long name and a deep path',
      `RUN mkdir -p /${'deep/'.repeat(40)} && touch /${'deep/'.repeat(40)}${'n'.repeat(200)}`,
    ),
    onBase('a long link', `RUN ln -s ${'t/'.repeat(90)} /l`),
    onBase('a device', 'RUN mknod /n c 1 3 && mknod -m 600 /b b 7 200', {
      rootOnly: 'device nodes cannot be made in a user namespace',
    }),
    onBase('order of names', 'RUN mkdir /a && touch /a/x /a-b /a.b /a0 /aa /B'),
    onBase('files in /dev, /proc and /sys leave no trace', 'RUN touch /dev/x /dev/shm/y'),
    onBase('the root’s mode', 'RUN chmod 700 /'),
    onBase('.wh. names', 'RUN touch /.wh.x', {
      fails: /cannot be part of a layer/,
      differs: [
        {
          line: /^outcome: /,
          reason: 'BuildKit writes a layer in which the file means a removal; such a name is refused here.',
        },
      ],
    }),
    build(
      'layers of three stages',
      'FROM %BASE% AS a\nRUN rm /x/file\nFROM a AS b\nRUN echo b > /x/file\nFROM b\nRUN rm -r /x\n',
    ),
  ],
};

/** A mount whose listing is written down. */
const mount = (name: string, options: string, command: string, more: Partial<Case> = {}) =>
  onBase(name, `RUN --mount=${options} ${command}`, { files, ...more });
const cacheSpace = { options: ['--build-arg', 'BUILDKIT_CACHE_MOUNT_NS=%NONCE%'] };
const secret = {
  options: ['--secret', 'id=s,src=%DIR%/trees/t/secret'],
  trees: { t: { secret: 'hidden\n' } },
};

export const mountsGroup: Group = {
  name: 'mounts',
  cases: [
    mount('bind of the context', 'target=/m', 'cat /m/f /m/d/a > /o'),
    mount('bind of a folder', 'type=bind,source=d,target=/m', 'ls -ln /m | grep -v total | cut -c 1-20 > /o'),
    mount('bind of a file', 'source=f,target=/m', 'cat /m > /o'),
    mount('bind of a file onto a file', 'source=f,target=/x/file', 'cat /x/file > /o'),
    mount('bind onto a folder that exists', 'source=d,target=/x/dir', 'ls /x/dir > /o'),
    mount('bind by src and dst', 'type=bind,src=/d,dst=/m', 'ls /m > /o'),
    mount('bind is read-only', 'source=d,target=/m', 'touch /m/n', fail),
    mount('bind rw is thrown away', 'source=d,target=/m,rw', 'touch /m/n && ls /m > /o'),
    mount('bind readonly=false', 'source=d,target=/m,readonly=false', 'touch /m/n'),
    mount('bind of an image', 'from=%BASE%,source=/x,target=/m', 'ls /m > /o'),
    mount('bind of a missing file', 'source=none,target=/m', 'true', fail),
    mount('bind without a target', 'source=d', 'true', fail),
    mount('bind at /', 'source=d,target=/', 'true', fail),
    mount('bind relative to WORKDIR', 'source=d,target=m', 'ls m > /o'),
    mount('bind of a variable', 'from=$x,target=/m', 'true', fail),
    mount('variables in keys', 'source=${none:-d},target=/$none/m', 'ls /m > /o'),
    build(
      'bind of a stage',
      'FROM scratch AS s\nCOPY f /g\nFROM %BASE%\nRUN --mount=from=s,target=/m cat /m/g > /o\n',
      { files },
    ),
    build(
      'bind of a stage in capitals',
      'FROM scratch AS s\nCOPY f /g\nFROM %BASE%\nRUN --mount=from=S,target=/m cat /m/g > /o\n',
      { files },
    ),
    mount('bind through a link in the target', 'source=d,target=/x/to-dir/m', 'ls /x/dir > /o'),
    mount('bind with mode', 'source=d,target=/m,mode=700', 'true', fail),
    mount('mount points with parents are removed', 'source=d,target=/q/r/s', 'true'),
    mount('a file left beside a mount point', 'source=d,target=/q/r/s', 'touch /q/r/n'),
    mount('tmpfs', 'type=tmpfs,target=/m', 'echo x > /m/n; stat -c "%a %u" /m > /o'),
    mount('tmpfs over a folder', 'type=tmpfs,target=/x/dir', 'ls /x/dir > /o; touch /x/dir/n'),
    mount(
      'tmpfs with a size',
      'type=tmpfs,target=/m,size=1m',
      'df -k /m | tail -n 1 | tr -s " " | cut -d " " -f 2 > /o',
    ),
    mount(
      'cache',
      'type=cache,target=/m',
      'ls -A /m > /o; stat -c "%a %u:%g" /m >> /o; touch /m/n',
      cacheSpace,
    ),
    onBase(
      'cache twice',
      'RUN --mount=type=cache,target=/m echo x > /m/n\nRUN --mount=type=cache,target=/m cat /m/n > /o',
      cacheSpace,
    ),
    onBase(
      'cache of another id',
      'RUN --mount=type=cache,target=/m,id=a echo x > /m/n\nRUN --mount=type=cache,target=/m ls /m > /o',
      cacheSpace,
    ),
    onBase(
      'cache of one id at two targets',
      'RUN --mount=type=cache,target=/m,id=a echo x > /m/n\nRUN --mount=type=cache,target=/k,id=a ls /k > /o',
      cacheSpace,
    ),
    mount(
      'cache with mode and owner',
      'type=cache,target=/m,mode=0711,uid=5,gid=6',
      'stat -c "%a %u:%g" /m > /o',
      cacheSpace,
    ),
    mount(
      'cache from an image',
      'type=cache,target=/m,from=%BASE%,source=x',
      'ls /m > /o; touch /m/n',
      cacheSpace,
    ),
    mount('cache read-only', 'type=cache,target=/m,ro', 'touch /m/n', { ...fail, ...cacheSpace }),
    onBase(
      'cache private',
      'RUN --mount=type=cache,target=/m,sharing=private touch /m/a\nRUN --mount=type=cache,target=/m,sharing=locked ls /m > /o',
      cacheSpace,
    ),
    mount('cache of another sharing', 'type=cache,target=/m,sharing=foo', 'true', fail),
    mount('sharing of a bind', 'target=/m,sharing=shared', 'true', fail),
    mount(
      'secret',
      'type=secret,id=s',
      'cat /run/secrets/s > /o; stat -c "%a %u:%g" /run/secrets/s >> /o',
      secret,
    ),
    mount(
      'secret elsewhere',
      'type=secret,id=s,target=/k/s,mode=0444,uid=5,gid=6',
      'cat /k/s > /o; stat -c "%a %u:%g" /k/s >> /o',
      secret,
    ),
    mount(
      'secret in a variable',
      'type=secret,id=s,env=S',
      'echo "$S" > /o; ls -d /run/secrets >> /o || true',
      secret,
    ),
    mount(
      'secret in a variable and a file',
      'type=secret,id=s,env=S,target=/k',
      'echo "$S" > /o; cat /k >> /o',
      secret,
    ),
    mount('secret that is missing', 'type=secret,id=none', 'ls /run > /o || true'),
    mount('secret that is missing and required', 'type=secret,id=none,required', 'true', fail),
    mount('secret of an environment variable', 'type=secret,id=e', 'cat /run/secrets/e > /o', {
      options: ['--secret', 'id=e,env=HIDDEN'],
      env: { HIDDEN: 'h' },
    }),
    mount('secret with from', 'type=secret,id=s,from=x', 'true', fail),
    mount('secret named by its target', 'type=secret,target=/k/s', 'cat /k/s > /o', secret),
    mount('ssh that is missing', 'type=ssh', 'echo "[$SSH_AUTH_SOCK]" > /o'),
    mount('ssh that is missing and required', 'type=ssh,required=true', 'true', fail),
    mount('an unknown key', 'target=/m,foo=1', 'true', fail),
    mount('an unknown type', 'type=foo,target=/m', 'true', fail),
    mount('a key without value', 'target', 'true', fail),
    mount('keys in capitals', 'Type=bind,Source=d,Target=/m', 'ls /m > /o'),
    mount('two mounts', 'source=f,target=/m --mount=type=tmpfs,target=/t', 'cat /m > /t/x && cat /t/x > /o'),
    mount('a mount inside another', 'type=tmpfs,target=/m/n --mount=type=tmpfs,target=/m', 'ls /m > /o'),
    mount('a mount below a bind', 'source=d,target=/m,rw --mount=type=tmpfs,target=/m/t', 'ls /m > /o'),
    mount('quotes of CSV', '"source=d","target=/m"', 'ls /m > /o'),
  ],
};
