/**
 * Dockerfiles whose image configs, step names and errors were recorded from BuildKit (see record-peer.ts). The host
 * name `golden.test` stands for the registry that serves the bases.
 */
export interface GoldenCase {
  name: string;
  dockerfile: string;
  buildArgs?: Record<string, string>;
  labels?: Record<string, string>;
  target?: string;
  platform?: string;
  /** RUN's own network, where the host's is not to be had. */
  bridge?: boolean;
}

/** Images the cases are built on, made from these; each may stand on the ones before. */
export const bases: Record<string, string> = {
  plain: `FROM scratch
COPY --chmod=755 f /f
CMD ["sh"]
`,
  full: `FROM golden.test/plain
ENV A=base PATH=/base/bin TWO="two words"
LABEL base=1 keep="a b"
WORKDIR /srv
USER 10:20
EXPOSE 80 53/udp
VOLUME /data
SHELL ["/bin/sh","-ec"]
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s CMD true
ENTRYPOINT ["/entry","arg"]
CMD ["serve"]
MAINTAINER base <b@example.org>
`,
  triggers: `FROM golden.test/plain
ONBUILD ENV FROM_TRIGGER=1
ONBUILD COPY f /triggered/
ONBUILD ARG T=tt
ONBUILD LABEL t=$T
`,
  shell: `FROM golden.test/plain
COPY f /bin/placeholder
ENV PATH=
`,
};

const on = (text: string) => `FROM golden.test/plain\n${text}`;
const run = (text: string) => `FROM golden.test/busybox\n${text}`;

export const cases: GoldenCase[] = [
  { name: 'nothing', dockerfile: on('') },
  { name: 'scratch', dockerfile: 'FROM scratch\nCOPY f /\n' },
  { name: 'scratch-config-only', dockerfile: 'FROM scratch\nCMD ["x"]\nLABEL a=b\n' },
  { name: 'inherit-all', dockerfile: 'FROM golden.test/full\n' },
  {
    name: 'inherit-and-change',
    dockerfile:
      'FROM golden.test/full\nENV A=child\nLABEL keep=changed new=1\nCOPY f sub/\nEXPOSE 81\nVOLUME /more\n',
  },
  { name: 'entrypoint-clears-inherited-cmd', dockerfile: 'FROM golden.test/full\nENTRYPOINT ["e"]\n' },
  { name: 'cmd-then-entrypoint', dockerfile: 'FROM golden.test/full\nCMD ["c"]\nENTRYPOINT ["e"]\n' },
  { name: 'entrypoint-then-cmd', dockerfile: 'FROM golden.test/full\nENTRYPOINT e\nCMD c "d e"\n' },
  { name: 'empty-cmd-and-entrypoint', dockerfile: 'FROM golden.test/full\nENTRYPOINT []\nCMD []\n' },
  { name: 'cmd-forms', dockerfile: on('CMD ["a b", "q\\"z", "<>&", "é\\u2028", "tab\\t"]\n') },
  {
    name: 'cmd-shell',
    dockerfile: on('SHELL ["/bin/x", "-e f"]\nCMD echo "a b" $HOME\nENTRYPOINT exec thing\n'),
  },
  {
    name: 'env-forms',
    dockerfile: on(
      `ENV a=1 b="two words" c='single $a' d=q\\ r e=\nENV old style  text "q" $a\nENV a=\${a}2 f=$a\nENV "k k"=v\n`,
    ),
  },
  {
    name: 'env-substitutions',
    dockerfile: on(
      'ENV a=abcabc\nENV b=${a:-x} c=${n:-x$a} d=${a:+y} e=${a#a} f=${a##*b} g=${a%c} h=${a%%b*} i=${a/b/X} j=${a//b/X} k=$a$ l=$$ m=${n-} n=\\$a\n',
    ),
  },
  { name: 'env-of-base', dockerfile: 'FROM golden.test/full\nENV A=$A/x NEW=${TWO}\nENV PATH=/x:$PATH\n' },
  { name: 'arg-defaults', dockerfile: on('ARG A\nARG B=2 C="x y"\nARG D=$B E=${A:-none}\nENV F=$D$E\n') },
  {
    name: 'arg-given',
    dockerfile: on('ARG A\nARG B=2\nARG C=$B\nLABEL c=$C a=$A\n'),
    buildArgs: { A: '$raw "q"', B: 'given' },
  },
  {
    name: 'arg-global',
    dockerfile:
      'ARG BASE=plain\nARG X=g Y=$X-y\nARG Z\nFROM golden.test/$BASE\nARG X\nARG Y=stage\nARG Z\nARG UNSET\nENV X1=$X Y1=$Y Z1=$Z U1=$UNSET\n',
    buildArgs: { Z: 'zz' },
  },
  {
    name: 'arg-run-prefix',
    dockerfile: run('ARG A=1\nARG B\nARG A=2\nENV B=env C=c\nARG C=arg\nRUN true\nARG D=$C\nRUN true\n'),
  },
  {
    name: 'arg-platform',
    dockerfile: on(
      'ARG TARGETPLATFORM TARGETOS TARGETARCH TARGETVARIANT BUILDPLATFORM BUILDARCH TARGETSTAGE TARGETOSVERSION\nENV P=$TARGETPLATFORM-$TARGETOS-$TARGETARCH-$TARGETVARIANT S=$TARGETSTAGE\n',
    ),
  },
  { name: 'arg-platform-undeclared', dockerfile: on('ENV P=$TARGETPLATFORM\n') },
  {
    name: 'arg-target-stage',
    dockerfile:
      'FROM golden.test/plain AS First\nARG TARGETSTAGE\nLABEL s=$TARGETSTAGE\nFROM scratch\nCOPY f /\n',
    target: 'first',
  },
  {
    name: 'arg-in-child-stage',
    dockerfile:
      'FROM golden.test/busybox AS a\nARG X=1\nENV X=env Y=y\nARG Y=arg\nRUN true\nFROM a\nARG Z=z\nRUN true\nLABEL x=$X y=$Y\n',
  },
  {
    name: 'arg-proxy',
    dockerfile: run('RUN true\nARG http_proxy\nRUN true\n'),
    buildArgs: { http_proxy: 'http://p:1', NO_PROXY: 'x' },
  },
  {
    name: 'label-forms',
    dockerfile: on(`LABEL a=b "c d"='e "f"' g=\nLABEL old style text\nLABEL a=again\nLABEL "$x"=y\n`),
  },
  { name: 'label-option', dockerfile: on('LABEL a=1 b=2\n'), labels: { b: 'option', c: '<x> & y' } },
  { name: 'label-order', dockerfile: on('LABEL z=1 a=2 B=3 é=4\n') },
  {
    name: 'workdir',
    dockerfile: on('WORKDIR /a\nWORKDIR b/c\nWORKDIR ../d\nCOPY f ./\nWORKDIR /\nWORKDIR /x/\n'),
  },
  { name: 'workdir-root', dockerfile: on('WORKDIR /\nWORKDIR .\n') },
  {
    name: 'workdir-variable',
    dockerfile: on('ENV D=/dir\nWORKDIR $D/sub\nWORKDIR "quo ted"\nWORKDIR a b\n'),
  },
  { name: 'workdir-of-base', dockerfile: 'FROM golden.test/full\nWORKDIR sub\nUSER 1\nWORKDIR sub2\n' },
  { name: 'user', dockerfile: on('ENV U=me\nUSER $U:grp\nUSER 0\nUSER "q r"\n') },
  {
    name: 'expose',
    dockerfile: on(
      'ENV P="70 71/udp"\nEXPOSE 9 80 100/udp 8000-8002/TCP $P\nEXPOSE 80/tcp\nEXPOSE 80/sctp\n',
    ),
  },
  { name: 'expose-twice', dockerfile: on('EXPOSE 80 80/tcp 79-80\n') },
  { name: 'expose-host', dockerfile: on('EXPOSE 127.0.0.1:1:2 3:4\n') },
  { name: 'expose-bad-port', dockerfile: on('EXPOSE 99999\n') },
  { name: 'expose-bad-proto', dockerfile: on('EXPOSE 80/x\n') },
  { name: 'volume', dockerfile: on('ENV V=vol\nVOLUME /a $V/x /a\nVOLUME ["/b c", "/d"]\nVOLUME rel\n') },
  { name: 'stopsignal', dockerfile: on('STOPSIGNAL 9\nSTOPSIGNAL sigterm\nENV S=RTMIN+3\nSTOPSIGNAL $S\n') },
  { name: 'stopsignal-bad', dockerfile: on('STOPSIGNAL SIGFOO\n') },
  {
    name: 'healthcheck',
    dockerfile: on(
      'HEALTHCHECK --interval=1m30s --timeout=1500ms --start-period=2h --start-interval=500us0.1s --retries=39 CMD a "b c" $D\n',
    ),
  },
  { name: 'healthcheck-exec', dockerfile: on('HEALTHCHECK --retries=200 CMD ["a", "b\\"c"]\n') },
  { name: 'healthcheck-none', dockerfile: 'FROM golden.test/full\nHEALTHCHECK NONE\n' },
  { name: 'healthcheck-replaces', dockerfile: 'FROM golden.test/full\nHEALTHCHECK --timeout=3s CMD x\n' },
  { name: 'maintainer', dockerfile: 'FROM golden.test/full\nMAINTAINER me <m&m@x> $A\n' },
  { name: 'shell', dockerfile: run('SHELL ["/bin/sh", "-euc"]\nRUN true "a b"\nCMD x\n') },
  {
    name: 'shell-inherited',
    dockerfile: 'FROM golden.test/busybox AS a\nSHELL ["/bin/sh", "-xc"]\nFROM a\nRUN true\nCMD y\n',
  },
  {
    name: 'run-forms',
    dockerfile: run(
      'ENV E=ee\nRUN echo $E "q" \\\n  # comment\n  && true\nRUN ["/bin/sh", "-c", "echo \\"x y\\" $E"]\nRUN   true   two\n',
    ),
  },
  {
    name: 'run-heredocs',
    dockerfile: run(
      'ENV E=ee\nRUN <<EOF\necho a $E\necho b\nEOF\nRUN <<-EOF\n\techo tab\n\tEOF\nRUN <<"EOF"\n#!/bin/sh\necho script\nEOF\nRUN cat <<X > /f && echo "z"\nin $E\nX\nRUN cat <<A <<-B\na\nA\n\tb\n\tB\n',
    ),
  },
  {
    name: 'run-mounts',
    dockerfile: run(
      'ENV D=/d\nRUN --mount=type=bind,target=$D --mount=type=cache,target=/c --mount=type=tmpfs,target=/t --network=none true\n',
    ),
  },
  {
    name: 'copy-forms',
    dockerfile: on(
      'ENV N=f\nCOPY f d/x /to/\nCOPY ["f", "/a b"]\nCOPY --chown=1:2 --chmod=0640 $N ./\nCOPY --chown=root f? d* /w/\nADD --chmod=u+x f /add\n',
    ),
  },
  {
    name: 'copy-heredocs',
    dockerfile: on('ENV N=name\nCOPY <<a <<"b" f /h/\n$N \\$N\na\n$N\nb\nADD <<-c /c\n\tx\n\tc\n'),
  },
  {
    name: 'copy-link',
    dockerfile: on(
      'COPY --link f /l/\nCOPY --link --chmod=600 f /m\nCOPY --link --chown=1 d /n\nWORKDIR /after\n',
    ),
  },
  {
    name: 'copy-from-stage',
    dockerfile:
      'FROM golden.test/plain AS Build\nCOPY f /out\nFROM golden.test/full\nCOPY --from=build /out /in\nCOPY --from=0 /out /in2\n',
  },
  { name: 'copy-from-image', dockerfile: 'FROM scratch\nCOPY --from=golden.test/plain /f /\n' },
  { name: 'copy-exclude', dockerfile: on('COPY --exclude=x --exclude=*.md d /d\n') },
  {
    name: 'stages-parent',
    dockerfile:
      'FROM golden.test/full AS a\nCOPY f /1\nENV X=1\nCMD ["a"]\nFROM a AS b\nCOPY f /2\nFROM b\nENTRYPOINT ["z"]\nCOPY f /3\n',
  },
  {
    name: 'stages-target',
    dockerfile:
      'FROM golden.test/plain AS a\nLABEL s=a\nFROM golden.test/nowhere AS b\nFROM scratch\nCOPY f /\n',
    target: 'A',
  },
  {
    name: 'stages-unused',
    dockerfile: 'FROM golden.test/nowhere AS unused\nRUN nothing\nFROM golden.test/plain\nLABEL x=y\n',
  },
  {
    name: 'stages-duplicate',
    dockerfile:
      'FROM golden.test/plain AS a\nCOPY f /1\nFROM golden.test/plain AS a\nCOPY f /2\nFROM a\nCOPY --from=a /f /3\n',
  },
  { name: 'stage-named-after-image', dockerfile: 'FROM golden.test/full AS plain\nFROM plain\n' },
  {
    name: 'onbuild',
    dockerfile: on(
      'ONBUILD RUN echo $X\nONBUILD COPY <<E /e\nONBUILD copy . /src\nLABEL a=b\n'.replace(
        'ONBUILD COPY <<E /e\n',
        'ONBUILD COPY <<E /e\nbody\nE\n',
      ),
    ),
  },
  {
    name: 'onbuild-triggered',
    dockerfile: 'FROM golden.test/triggers\nENV AFTER=$FROM_TRIGGER$T\nCOPY f /own\n',
  },
  {
    name: 'onbuild-triggered-stage',
    dockerfile:
      'FROM golden.test/plain AS p\nONBUILD WORKDIR /from/trigger\nONBUILD LABEL t=1\nFROM p AS q\nCOPY f ./\nFROM q\nLABEL last=1\n',
  },
  { name: 'onbuild-kept-in-result', dockerfile: 'FROM golden.test/triggers\nONBUILD ENV X=1\n' },
  { name: 'base-without-path', dockerfile: 'FROM golden.test/nopath\nENV A=1\nLABEL p=$PATH\n' },
  { name: 'base-empty-path', dockerfile: 'FROM golden.test/shell\nLABEL p=$PATH\n' },
  { name: 'platform', dockerfile: on('COPY f /\n'), platform: 'linux/arm64' },
  {
    name: 'platform-in-from',
    dockerfile: 'FROM --platform=linux/arm64 golden.test/busybox\nLABEL a=b\nCOPY f /\n',
  },
  {
    name: 'platform-scratch',
    dockerfile: 'FROM scratch\nARG TARGETARCH TARGETVARIANT\nLABEL a=$TARGETARCH$TARGETVARIANT\nCOPY f /\n',
    platform: 'linux/arm/v7',
  },
  {
    name: 'epoch',
    dockerfile: on('LABEL a=b\nWORKDIR /w\nCOPY f /\n'),
    buildArgs: { SOURCE_DATE_EPOCH: '1000000000' },
  },
  {
    name: 'epoch-late',
    dockerfile: on('LABEL a=b\nCOPY f /\nENV x=y\n'),
    buildArgs: { SOURCE_DATE_EPOCH: '4000000000' },
  },
  {
    name: 'epoch-before-1970',
    dockerfile: on('LABEL a=b\nCOPY f /\n'),
    buildArgs: { SOURCE_DATE_EPOCH: '-5' },
  },
  { name: 'epoch-bad', dockerfile: on('COPY f /\n'), buildArgs: { SOURCE_DATE_EPOCH: 'now' } },
  { name: 'no-new-layers', dockerfile: 'FROM golden.test/full\nLABEL only=config\n' },
  {
    name: 'windows-scratch',
    dockerfile: 'FROM scratch\nCMD echo hi\nENTRYPOINT x\n',
    platform: 'windows/amd64',
  },
  {
    name: 'windows-workdir',
    dockerfile:
      '# escape=`\nFROM scratch AS a\nWORKDIR C:\\foo\nWORKDIR bar\nCOPY f x\\y\nFROM a\nWORKDIR ..\\up\nCOPY f .\nCMD ["x"]\n',
    platform: 'windows/amd64',
  },
  {
    name: 'escape-backtick',
    dockerfile:
      '# escape=`\nFROM golden.test/plain\nENV a=b`\n c=C:\\x d=`$a\nCOPY f `\n /to/\nLABEL l="q`"q"\n',
  },
  {
    name: 'lower-case-keywords',
    dockerfile: 'from golden.test/busybox as x\nrun true\ncopy f /\nworkdir /w\n',
  },

  { name: 'error-target', dockerfile: 'FROM golden.test/plain AS build\n', target: 'buidl' },
  { name: 'error-blank-base', dockerfile: 'ARG B\nFROM $B\n' },
  {
    name: 'error-stage-order',
    dockerfile:
      'FROM golden.test/plain AS a\nCOPY --from=z /f /g\nFROM golden.test/plain AS z\nCOPY --from=a /f /h\n',
  },
  {
    name: 'error-stage-later',
    dockerfile: 'FROM golden.test/plain AS a\nCOPY --from=z /f /g\nFROM golden.test/plain AS z\nFROM a\n',
  },
  {
    name: 'error-mount-later',
    dockerfile:
      'FROM golden.test/busybox AS a\nRUN --mount=from=z,target=/m true\nFROM golden.test/plain AS z\nFROM a\n',
  },
  { name: 'error-self', dockerfile: 'FROM golden.test/plain AS a\nCOPY --from=a /f /g\n' },
  { name: 'error-stage-index', dockerfile: 'FROM golden.test/plain\nCOPY --from=7 /f /g\n' },
  { name: 'error-platform', dockerfile: 'FROM --platform=$NO golden.test/plain\n' },
  { name: 'error-platform-bad', dockerfile: 'FROM --platform=a/b/c/d golden.test/plain\n' },
  { name: 'error-mount-target', dockerfile: run('RUN --mount=type=tmpfs,target=/ true\n') },
  { name: 'error-chmod', dockerfile: on('COPY --chmod=99999 f /\n') },
  { name: 'error-copy-url', dockerfile: on('COPY http://golden.test/f /\n') },
  { name: 'error-copy-git', dockerfile: on('COPY https://golden.test/x.git /\n') },
  { name: 'error-checksum-local', dockerfile: on(`ADD --checksum=sha256:${'0'.repeat(64)} f /\n`) },
  {
    name: 'error-checksum-many',
    dockerfile: on(`ADD --checksum=sha256:${'0'.repeat(64)} http://golden.test/a http://golden.test/b /\n`),
  },
  { name: 'error-substitution', dockerfile: on('ENV a="${x:?must be given}"\n') },
  { name: 'error-volume-empty', dockerfile: on('VOLUME $nothing\n') },
  { name: 'error-network-host', dockerfile: run('RUN --network=host true\n'), bridge: true },
  { name: 'error-missing-file', dockerfile: on('COPY nope /\n') },
];
