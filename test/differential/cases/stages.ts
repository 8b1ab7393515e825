/** Stages: names, bases, targets, COPY --from, ARG and platforms. */
import type { Group } from '../types.js';
import { build, onBase, scratch } from './make.js';

const files = { f: 'f\n', g: 'g\n' };
const fail = { files, fails: /./ };
const two = (second: string) => `FROM scratch AS one\nCOPY f /f\nLABEL a=1\n${second}\n`;

export const stagesGroup: Group = {
  name: 'stages',
  cases: [
    build('a stage from a stage', two('FROM one\nCOPY g /g'), { files }),
    build(
      'a stage from a stage of a name in capitals',
      'FROM scratch AS One\nLABEL a=1\nFROM one\nLABEL b=2\n',
    ),
    build('FROM does not lower-case', 'FROM scratch AS one\nFROM One\n', fail),
    build('copy by name', two('FROM scratch\nCOPY --from=one /f /h'), { files }),
    build('copy by name in capitals', two('FROM scratch\nCOPY --from=ONE /f /h'), { files }),
    build('copy by number', two('FROM scratch\nCOPY --from=0 /f /h'), { files }),
    build('copy by the own number', two('FROM scratch\nCOPY --from=1 /f /h'), fail),
    build('copy by a number too big', two('FROM scratch\nCOPY --from=7 /f /h'), fail),
    build(
      'copy from a later stage',
      'FROM scratch AS a\nCOPY --from=z /f /f\nFROM scratch AS z\nCOPY f /f\nFROM a\n',
      fail,
    ),
    build('copy from itself', 'FROM scratch AS a\nCOPY --from=a /f /f\n', fail),
    build('copy from an image', 'FROM scratch\nCOPY --from=%BASE% /x/dir /d\n'),
    build('copy of a link of an image', 'FROM scratch\nCOPY --from=%BASE% /x/to-file /x/abs-dir /d/\n'),
    build('copy of links inside', 'FROM scratch\nCOPY --from=%BASE% /x /d\n'),
    build('copy by a variable', 'ARG s=one\nFROM scratch AS one\nFROM scratch\nCOPY --from=$s /f /f\n', fail),
    build('copy of a missing file', two('FROM scratch\nCOPY --from=one /none /h'), fail),
    build('copy of the root of a stage', two('FROM scratch\nCOPY --from=one / /h/'), { files }),
    build('copy of nothing from scratch', 'FROM scratch AS e\nFROM scratch\nCOPY --from=e / /d/\n'),
    build(
      'two stages of one name',
      'FROM scratch AS a\nLABEL v=1\nFROM scratch AS a\nLABEL v=2\nFROM a\nLABEL w=3\n',
    ),
    build('names with digits and signs', 'FROM scratch AS a1-b_c.d\nLABEL v=1\nFROM a1-b_c.d\nLABEL w=2\n'),
    build('a name that starts with a digit', 'FROM scratch AS 1a\n', fail),
    build('a name with a slash', 'FROM scratch AS a/b\n', fail),
    build('FROM with two words', 'FROM scratch one\n', fail),
    build('FROM with four words', 'FROM scratch AS a b\n', fail),
    build('FROM without a word', 'FROM\n', fail),
    build('AS in small letters', 'FROM scratch as a\nLABEL v=1\n'),
    build('the target', two('FROM one AS two\nLABEL b=2\nFROM two\nLABEL c=3'), {
      files,
      options: ['--target', 'two'],
    }),
    build('the target in capitals', two('FROM one AS two\nLABEL b=2\nFROM two'), {
      files,
      options: ['--target', 'TWO'],
    }),
    build('a target by number', two('FROM one AS two\nLABEL b=2'), { ...fail, options: ['--target', '0'] }),
    build('a missing target', two('FROM one AS two'), { ...fail, options: ['--target', 'tow'] }),
    build(
      'stages that are not needed are not built',
      'FROM %BASE% AS bad\nRUN false\nFROM scratch\nLABEL a=1\n',
    ),
    build(
      'files that are not needed are not looked for',
      'FROM scratch AS bad\nCOPY none /\nFROM scratch\nLABEL a=1\n',
    ),
    build(
      'words of stages that are not needed are expanded',
      'FROM scratch AS bad\nLABEL a=${\nFROM scratch\nLABEL a=1\n',
    ),
    build(
      'config of the parent stage',
      'FROM %BASE% AS p\nUSER anna\nWORKDIR /w\nENTRYPOINT ["e"]\nCMD ["c"]\nEXPOSE 1\nVOLUME /v\nSHELL ["/bin/sh","-x","-c"]\nFROM p\nRUN pwd > p\nCMD d\n',
    ),
    build('an image of a registry name that is bad', 'FROM Bad_Name\n', fail),
    build('an empty base', 'ARG b\nFROM $b\n', fail),
    build('scratch by a variable', 'ARG b=scratch\nFROM ${b}\nLABEL a=1\n'),
    build('a stage by a variable', 'ARG b=one\nFROM scratch AS one\nLABEL a=1\nFROM ${b}\nLABEL b=2\n'),
    build('a base with a default', 'FROM ${none:-scratch}\nLABEL a=1\n'),
    build('scratch AS scratch', 'FROM scratch AS scratch\nLABEL a=1\nFROM scratch\nLABEL b=2\n'),
    build(
      'a chain of copies',
      'FROM scratch AS a\nCOPY f /1\nFROM scratch AS b\nCOPY --from=a /1 /2\nFROM scratch\nCOPY --from=b /2 /3\n',
      { files },
    ),
    build(
      'hard links between stages',
      'FROM %BASE% AS a\nRUN mkdir /h && echo x > /h/1 && ln /h/1 /h/2\nFROM scratch\nCOPY --from=a /h /h\n',
    ),
    build('one hard link alone', 'FROM scratch\nCOPY --from=%BASE% /x/hard /h\n'),
    build(
      'devices and fifos of a stage',
      'FROM %BASE% AS a\nRUN mkdir /h && mkfifo /h/p\nFROM scratch\nCOPY --from=a /h /h\n',
    ),
    build(
      'a fifo as the source',
      'FROM %BASE% AS a\nRUN mkfifo -m 600 /p\nFROM scratch\nCOPY --from=a /p /q\n',
    ),
  ],
};

export const argsGroup: Group = {
  name: 'args',
  sameForEverybody: 'the Dockerfile is read and planned before the builder’s privileges matter',
  cases: [
    scratch('a default', 'ARG a=1\nLABEL l=$a'),
    scratch('a default replaced', 'ARG a=1\nLABEL l=$a', { options: ['--build-arg', 'a=2'] }),
    scratch('a default replaced by nothing', 'ARG a=1\nLABEL l=[$a]', { options: ['--build-arg', 'a='] }),
    scratch('a value from the environment', 'ARG a=1\nLABEL l=[$a]', {
      options: ['--build-arg', 'a'],
      env: { a: 'env' },
    }),
    scratch('a name that the environment has not', 'ARG a=1\nLABEL l=[$a]', {
      options: ['--build-arg', 'a'],
    }),
    scratch('without a default', 'ARG a\nLABEL l=[$a]'),
    scratch('not declared', 'LABEL l=[$a]', { options: ['--build-arg', 'a=2'] }),
    scratch('used before its declaration', 'LABEL l=[$a]\nARG a=1', { options: ['--build-arg', 'a=2'] }),
    scratch('a value is not expanded', 'ARG b=1\nARG a\nLABEL l=$a', { options: ['--build-arg', 'a=$b'] }),
    scratch('twice', 'ARG a=1\nLABEL l=$a\nARG a=2\nLABEL m=$a'),
    scratch('twice without a default', 'ARG a=1\nARG a\nLABEL l=[$a]'),
    scratch('several', 'ARG a=1 b c=3\nLABEL l=$a$b$c', { options: ['--build-arg', 'b=2'] }),
    scratch('quotes', 'ARG a="1 2" b=\'$x\' c=3\\ 4\nLABEL l=$a$b$c'),
    scratch('no word', 'ARG', { fails: /./ }),
    scratch('an empty name', 'ARG =1', { fails: /./ }),
    build('a global one is not seen in a stage', 'ARG a=1\nFROM scratch\nLABEL l=[$a]\n'),
    build('a global one declared in a stage', 'ARG a=1\nFROM scratch\nARG a\nLABEL l=[$a]\n'),
    build('a global one with another default', 'ARG a=1\nFROM scratch\nARG a=2\nLABEL l=[$a]\n'),
    build('a global one replaced', 'ARG a=1\nFROM scratch\nARG a=2\nLABEL l=[$a]\n', {
      options: ['--build-arg', 'a=3'],
    }),
    build('global ones see each other', 'ARG a=1\nARG b=${a}2\nFROM scratch\nARG b\nLABEL l=$b\n'),
    build('a child stage has the parent’s', 'FROM scratch AS p\nARG a=1\nFROM p\nLABEL l=[$a]\n'),
    build(
      'a child stage declares the parent’s again',
      'FROM scratch AS p\nARG a=1\nFROM p\nARG a\nLABEL l=[$a]\n',
    ),
    scratch('ENV after ARG', 'ARG a=1\nENV a=2\nLABEL l=$a', { options: ['--build-arg', 'a=3'] }),
    scratch('ARG after ENV', 'ENV a=2\nARG a=1\nLABEL l=$a'),
    scratch('ARG without a default after ENV', 'ENV a=2\nARG a\nLABEL l=$a'),
    scratch('ENV from ARG', 'ARG a=1\nENV b=${a:-x} c=$a'),
    onBase('ARG in RUN and its history', 'ARG a=1 b\nARG c="x y"\nRUN echo "$a [$b] $c" > /f'),
    onBase('ARG after ENV in RUN', 'ENV a=2\nARG a=1\nRUN echo $a > /f'),
    onBase('ENV after ARG in RUN', 'ARG a=1\nENV a=2\nRUN echo $a > /f'),
    onBase('ARG that is unset in RUN', 'ARG a\nRUN env | grep -c ^a= > /f || true'),
    build('ARG of a parent stage in RUN', 'FROM %BASE% AS p\nARG a=1\nFROM p\nARG b=2\nRUN echo $a$b > /f\n'),
    onBase('a proxy is no part of the image', 'RUN echo $http_proxy $HTTP_PROXY > /f', {
      options: ['--build-arg', 'HTTP_PROXY=http://proxy.invalid:1'],
    }),
    onBase('a proxy that is declared', 'ARG NO_PROXY\nRUN echo $no_proxy $NO_PROXY > /f', {
      options: ['--build-arg', 'NO_PROXY=a.invalid'],
    }),
    build(
      'platform variables',
      'FROM --platform=linux/arm/v7 scratch\nARG TARGETPLATFORM TARGETOS TARGETARCH TARGETVARIANT TARGETSTAGE\nLABEL l="$TARGETPLATFORM $TARGETOS $TARGETARCH [$TARGETVARIANT] $TARGETSTAGE"\n',
      { options: ['--platform', 'linux/arm/v6'] },
    ),
    build('platform variables without declaration', 'FROM scratch\nLABEL l=[$TARGETOS]\n'),
    build('platform variables in FROM', 'FROM --platform=$TARGETPLATFORM scratch\nLABEL l=1\n', {
      options: ['--platform', 'linux/arm64'],
    }),
    build('a platform variable replaced', 'FROM scratch\nARG TARGETARCH\nLABEL l=$TARGETARCH\n', {
      options: ['--build-arg', 'TARGETARCH=z80'],
    }),
    build(
      'the name of the target',
      'FROM scratch AS one\nARG TARGETSTAGE\nLABEL l=$TARGETSTAGE\nFROM scratch\n',
      { options: ['--target', 'one'] },
    ),
    build('FROM --platform', 'FROM --platform=linux/s390x scratch\nLABEL l=1\n'),
    build('FROM --platform in other words', 'FROM --platform=aarch64 scratch\nLABEL l=1\n'),
    build('FROM --platform of a parent', 'FROM --platform=linux/ppc64le scratch AS p\nFROM p\nLABEL l=1\n'),
    build('FROM --platform that is bad', 'FROM --platform=a/b/c/d/e scratch\n', { fails: /./ }),
    build('FROM --platform that is empty', 'ARG p\nFROM --platform=$p scratch\n', { fails: /./ }),
    build('another platform', 'FROM scratch\nLABEL l=1\n', { options: ['--platform', 'linux/arm/v7'] }),
    build('a platform with a variant', 'FROM scratch\nLABEL l=1\n', {
      options: ['--platform', 'linux/arm64/v8'],
    }),
    scratch('labels of the command line', 'LABEL a=1 b=2', { options: ['--label', 'b=3', '--label', 'c=4'] }),
    scratch('a label of the command line without value', 'LABEL a=1', { options: ['--label', 'c'] }),
  ],
};
