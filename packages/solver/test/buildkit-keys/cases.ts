/** Dockerfiles whose cache records were recorded from BuildKit (see record.ts). `golden.test` stands for the registry. */
export interface KeyCase {
  name: string;
  dockerfile: string;
  buildArgs?: Record<string, string>;
  platform?: string;
  target?: string;
  /** More flags for docker; what of them reaches the plan is in `options`. */
  flags?: string[];
  options?: {
    shmSize?: number;
    ulimits?: { name: string; soft: number; hard: number }[];
    extraHosts?: { name: string; address: string }[];
  };
  /** RUN's own network: the case has no RUN that needs the host's. */
  network?: 'none';
}

const on = (text: string) => `FROM golden.test/busybox\n${text}`;
const twoStages = (text: string) =>
  `FROM golden.test/busybox AS a\nRUN mkdir -p /x/y && echo 1 >/x/y/f && ln -s y /x/l\n${on(text)}`;

/** Build context of all cases: text of each file. */
export const context: Record<string, string> = {
  f: 'f\n',
  g: 'g\n',
  'd/x': 'x\n',
  'd/e/z': 'z\n',
  'd/e/.hidden': 'h\n',
};

export const cases: KeyCase[] = [
  { name: 'run-shell', dockerfile: on('RUN echo "a && <b>" > /out; echo é\u2028') },
  { name: 'run-exec', dockerfile: on('RUN ["/bin/echo", "a\\tb"]') },
  { name: 'run-lines', dockerfile: on('RUN echo a \\\n  # comment\n  && echo b') },
  { name: 'run-shell-instruction', dockerfile: on('SHELL ["/bin/sh", "-ec"]\nRUN echo 1') },
  { name: 'run-heredoc', dockerfile: on('RUN <<E\necho 1\necho 2\nE') },
  { name: 'run-heredoc-script', dockerfile: on('RUN <<E\n#!/bin/sh\necho 1\nE') },
  { name: 'run-heredoc-file', dockerfile: on('RUN cat <<E >/x && cat <<F >/y\n1\nE\n2\nF') },
  { name: 'env', dockerfile: on('ENV A=1 B="x y"\nENV C=$A\nENV A=2\nRUN env') },
  {
    name: 'arg',
    dockerfile: `ARG G=g\n${on('ARG G\nARG B=2\nARG C\nENV B=3\nRUN env')}`,
    buildArgs: { C: 'c' },
  },
  { name: 'arg-platform', dockerfile: on('ARG TARGETARCH\nARG BUILDPLATFORM\nRUN env') },
  { name: 'arg-proxy', dockerfile: on('RUN env'), buildArgs: { HTTP_PROXY: 'http://127.0.0.1:9' } },
  {
    name: 'sandbox-hostname',
    dockerfile: on('RUN hostname'),
    buildArgs: { BUILDKIT_SANDBOX_HOSTNAME: 'here' },
  },
  { name: 'workdir', dockerfile: on('WORKDIR /a/b\nWORKDIR c\nRUN pwd') },
  {
    name: 'workdir-epoch',
    dockerfile: on('ARG SOURCE_DATE_EPOCH\nWORKDIR /a\nRUN pwd'),
    buildArgs: { SOURCE_DATE_EPOCH: '1700000000' },
  },
  { name: 'user', dockerfile: on('USER guest\nWORKDIR /u\nUSER 7:8\nWORKDIR /v\nRUN id') },
  { name: 'user-group', dockerfile: on('USER guest:users\nWORKDIR /u\nRUN id') },
  { name: 'run-network', dockerfile: on('RUN --network=none echo 1') },
  { name: 'build-network-none', dockerfile: on('RUN echo 1'), network: 'none' },
  {
    name: 'run-options',
    dockerfile: on('RUN echo 1'),
    flags: [
      '--shm-size',
      '1m',
      '--ulimit',
      'nofile=100:200',
      '--add-host',
      'some:1.2.3.4',
      '--add-host',
      'z:::1',
    ],
    options: {
      shmSize: 1048576,
      ulimits: [{ name: 'nofile', soft: 100, hard: 200 }],
      extraHosts: [
        { name: 'some', address: '1.2.3.4' },
        { name: 'z', address: '::1' },
      ],
    },
  },
  { name: 'mount-cache', dockerfile: on('RUN --mount=type=cache,target=/c echo 1') },
  {
    name: 'mount-cache-id',
    dockerfile: on('RUN --mount=type=cache,id=i,target=/c,sharing=locked,ro echo 1'),
  },
  { name: 'mount-cache-owner', dockerfile: on('RUN --mount=type=cache,target=/c,uid=1,mode=0700 echo 1') },
  { name: 'mount-cache-root-owner', dockerfile: on('RUN --mount=type=cache,target=/c,uid=0 echo 1') },
  { name: 'mount-cache-relative', dockerfile: on('WORKDIR /w\nRUN --mount=type=cache,target=c/../e echo 1') },
  {
    name: 'mount-cache-namespace',
    dockerfile: on('RUN --mount=type=cache,target=/c echo 1'),
    buildArgs: { BUILDKIT_CACHE_MOUNT_NS: 'ns' },
  },
  {
    name: 'mount-cache-from',
    dockerfile: twoStages('RUN --mount=type=cache,from=a,source=/x,target=/c echo 1'),
  },
  {
    name: 'mount-cache-from-owner',
    dockerfile: twoStages('RUN --mount=type=cache,from=a,target=/c,gid=3 echo 1'),
  },
  {
    name: 'mount-tmpfs',
    dockerfile: on('RUN --mount=type=tmpfs,target=/t --mount=type=tmpfs,target=/s,size=1m echo 1'),
  },
  {
    name: 'mount-bind-context',
    dockerfile: on('RUN --mount=target=/s --mount=source=d,target=/a,rw echo 1'),
  },
  {
    name: 'mount-bind-stage',
    dockerfile: twoStages('RUN --mount=from=a,target=/s --mount=from=a,source=/x/l,target=/a echo 1'),
  },
  {
    name: 'mount-bind-own-base',
    dockerfile: `FROM golden.test/busybox AS a\nRUN mkdir /x\nFROM a\nRUN --mount=from=a,source=/x,target=/s echo 1`,
  },
  {
    name: 'mount-secret',
    dockerfile: on(
      'RUN --mount=type=secret,id=s --mount=type=secret,id=e,env=E --mount=type=secret,id=b,env=B,target=/b --mount=type=secret,source=q,target=q,mode=0444,uid=3 --mount=type=secret,target=/only/name echo 1',
    ),
  },
  {
    name: 'mount-ssh',
    dockerfile: on('RUN --mount=type=ssh --mount=type=ssh,id=k,target=/sock,mode=0666 echo 1'),
  },
  {
    name: 'mount-ssh-own-socket',
    dockerfile: on('ENV SSH_AUTH_SOCK=/s\nRUN --mount=type=ssh,id=default echo 1'),
  },
  { name: 'copy-file', dockerfile: on('COPY f /') },
  { name: 'copy-rename', dockerfile: on('WORKDIR /w\nCOPY f sub/new\nCOPY f .\nCOPY f g h/') },
  { name: 'copy-dotted', dockerfile: on('WORKDIR /w\nCOPY f sub/.\nCOPY f /.\nCOPY <<A x/.\na\nA') },
  { name: 'copy-all', dockerfile: on('COPY . /c') },
  { name: 'copy-folder', dockerfile: on('COPY d/ /c/\nCOPY d /c2') },
  { name: 'copy-wildcard', dockerfile: on('COPY d/* /c/\nCOPY ? d*/x /q/') },
  { name: 'copy-nothing', dockerfile: on('COPY none* f /c/') },
  { name: 'copy-exclude', dockerfile: on('COPY --exclude=e/z --exclude=*.md d /c/') },
  { name: 'copy-chmod', dockerfile: on('COPY --chmod=0750 f /\nCOPY --chmod=u+x,go=rX g /') },
  {
    name: 'copy-chown',
    dockerfile: on('COPY --chown=guest:users f /\nCOPY --chown=5 g /\nCOPY --chown=root:0 g /h'),
  },
  {
    name: 'copy-heredoc',
    dockerfile: on('COPY <<A <<B f /h/\none\nA\ntwo $B\nB\nCOPY --chmod=600 <<A /name\nx\nA'),
  },
  {
    name: 'copy-stage',
    dockerfile: twoStages('COPY --from=a /x/y/f /\nCOPY --from=a /x/l /l/\nCOPY --from=a /x/*/f /w/'),
  },
  { name: 'copy-stage-index', dockerfile: twoStages('COPY --from=0 /x/y /d') },
  { name: 'copy-image', dockerfile: on('COPY --from=golden.test/busybox /etc/passwd /p') },
  {
    name: 'copy-own-base',
    dockerfile: `FROM golden.test/busybox AS a\nRUN echo 1 >/x\nFROM a\nCOPY --from=a /x /y`,
  },
  { name: 'copy-link', dockerfile: on('COPY --link f /\nCOPY --link --chown=5:6 d /e/\nRUN ls') },
  { name: 'copy-link-stage', dockerfile: twoStages('COPY --link --from=a /x/y /d') },
  { name: 'copy-link-chmod', dockerfile: on('COPY --link --chmod=700 f /') },
  { name: 'scratch-copy', dockerfile: 'FROM scratch\nCOPY f /\nCOPY g /g' },
  { name: 'scratch-link', dockerfile: 'FROM scratch\nCOPY --link f /\nCOPY --link g /g' },
  { name: 'scratch-workdir', dockerfile: 'FROM scratch\nWORKDIR /w\nCOPY f .' },
  { name: 'add-file', dockerfile: on('ADD f d /a/\nADD --unpack=false g /') },
  {
    name: 'platform',
    dockerfile:
      'FROM --platform=linux/arm/v7 golden.test/busybox AS b\nCOPY f /\nFROM --platform=$BUILDPLATFORM golden.test/busybox\nCOPY --from=b /f /',
  },
  { name: 'target-platform', dockerfile: on('WORKDIR /a\nCOPY f /'), platform: 'linux/arm/v7' },
  {
    name: 'parent-stage',
    dockerfile: `FROM golden.test/busybox AS a\nENV E=1 PATH=/bin:$PATH\nARG X=1\nRUN env\nFROM a\nARG X=2\nENV F=2\nRUN env`,
  },
  {
    name: 'onbuild-free',
    dockerfile: on('LABEL a=b\nEXPOSE 80\nVOLUME /v\nHEALTHCHECK CMD true\nCMD ["x"]\nRUN echo 1'),
  },
];
