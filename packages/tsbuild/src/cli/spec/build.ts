/** `tsbuild build` and `tsbuild check`. */
import { debugFlag, formatFlag, limitFlags, progressFlag, registryFlags, rootFlag } from './common.js';
import type { CommandSpec, FlagSpec } from './types.js';

const fileFlag: FlagSpec = {
  name: 'file',
  short: 'f',
  type: 'string',
  value: 'FILE',
  summary: 'Dockerfile (default CONTEXT/Dockerfile); - reads standard input',
  completes: 'file',
};
const targetFlag: FlagSpec = {
  name: 'target',
  type: 'string',
  value: 'STAGE',
  summary: 'Stage to build (default: the last one)',
};
const buildArgFlag: FlagSpec = {
  name: 'build-arg',
  type: 'list',
  value: 'NAME[=VALUE]',
  summary: 'Value of an ARG; without =VALUE it comes from the environment',
};
const platformFlag: FlagSpec = {
  name: 'platform',
  type: 'csv',
  value: 'OS/ARCH[/VARIANT]',
  summary: 'Platforms to build for (default: this machine; "local" names it)',
};
const buildContextFlag: FlagSpec = {
  name: 'build-context',
  type: 'list',
  value: 'NAME=VALUE',
  summary: 'Further context: a folder, an image (docker-image://…), an OCI layout (oci-layout://…) or a URL',
};

/** Limits of docker build; steps have no cgroup of their own to which they could apply. A build says so. */
export const resourceFlags = [
  'memory',
  'memory-swap',
  'cpus',
  'cpu-period',
  'cpu-quota',
  'cpu-shares',
  'cpuset-cpus',
  'cpuset-mems',
];

/** Flags of other builders that mean nothing here. */
const ignored: readonly FlagSpec[] = [
  { name: 'builder', type: 'string', value: 'NAME' },
  { name: 'load', type: 'boolean' },
  { name: 'compress', type: 'boolean' },
  { name: 'rm', type: 'boolean' },
  { name: 'force-rm', type: 'boolean' },
  { name: 'layers', type: 'boolean' },
  { name: 'jobs', type: 'string', value: 'N' },
  { name: 'isolation', type: 'string', value: 'KIND' },
  { name: 'squash', type: 'boolean' },
  { name: 'security-opt', type: 'list', value: 'OPTION' },
  ...resourceFlags.map((name) => ({ name, type: 'string', value: 'VALUE' })),
].map((flag) => ({
  ...flag,
  type: flag.type as FlagSpec['type'],
  ignored: true,
  summary:
    flag.name === 'load'
      ? 'Taken for compatibility: the image is always kept in the store'
      : 'Taken for compatibility; has no effect',
}));

export const buildSpec: CommandSpec = {
  name: 'build',
  aliases: ['b'],
  summary: 'Build an image from a Dockerfile',
  positionals: 'CONTEXT',
  arity: { min: 1, max: 1 },
  completes: 'directory',
  description: [
    'CONTEXT is a folder, a tar file, an http(s) or git URL, or - for a tar archive or a Dockerfile on standard input.',
    'The word "build" can be left out: "tsbuild -t app ." is "tsbuild build -t app .".',
    "Progress goes to standard error. With --quiet the image's digest is the only output.",
  ],
  flags: [
    fileFlag,
    { name: 'tag', short: 't', type: 'list', value: 'NAME[:TAG]', summary: 'Name of the image' },
    targetFlag,
    buildArgFlag,
    platformFlag,
    {
      name: 'output',
      short: 'o',
      type: 'list',
      value: 'SPEC',
      summary:
        'Where the result goes: type=image|oci|docker|tar|local|registry[,dest=PATH]; PATH alone is a folder, - a tar on standard output',
    },
    {
      name: 'push',
      type: 'boolean',
      summary: 'Push the image to the registry of each tag; the same as -o type=registry',
    },
    { name: 'no-cache', type: 'boolean', summary: 'Run every step, whatever the cache has' },
    { name: 'no-cache-filter', type: 'csv', value: 'STAGE', summary: 'Run every step of these stages' },
    {
      name: 'pull',
      type: 'boolean',
      summary: 'Look base images up in their registry even if the store has them',
    },
    {
      name: 'explain',
      type: 'boolean',
      summary: 'Tell of each step whether the cache had it, and if not, what changed since the last build',
    },
    progressFlag,
    { name: 'quiet', short: 'q', type: 'boolean', summary: "No progress; print the image's digest" },
    {
      name: 'iidfile',
      type: 'string',
      value: 'FILE',
      summary: 'Write the image ID (config digest) to a file',
      completes: 'file',
    },
    {
      name: 'metadata-file',
      type: 'string',
      value: 'FILE',
      summary: 'Write the result as JSON to a file',
      completes: 'file',
    },
    { name: 'label', type: 'list', value: 'KEY=VALUE', summary: 'Label of the image' },
    {
      name: 'annotation',
      type: 'list',
      value: '[LEVEL:]KEY=VALUE',
      summary: 'Annotation; LEVEL is manifest, index, manifest-descriptor or index-descriptor',
    },
    {
      name: 'secret',
      type: 'list',
      value: 'id=ID[,src=FILE|,env=NAME]',
      summary: 'Secret for RUN --mount=type=secret',
    },
    {
      name: 'ssh',
      type: 'list',
      value: 'default|ID[=SOCKET|=KEY[,KEY]]',
      summary: 'SSH agent socket or key for RUN --mount=type=ssh',
    },
    buildContextFlag,
    {
      name: 'network',
      type: 'string',
      value: 'MODE',
      summary: 'Network of RUN steps: host (default) or none',
      choices: ['default', 'host', 'none'],
    },
    { name: 'add-host', type: 'csv', value: 'HOST:IP', summary: 'Line for /etc/hosts of RUN steps' },
    {
      name: 'allow',
      type: 'csv',
      value: 'ENTITLEMENT',
      summary:
        'Permit security.insecure, or network.host where --network is not host, to Dockerfiles that ask for it',
    },
    { name: 'ulimit', type: 'list', value: 'NAME=SOFT[:HARD]', summary: 'Resource limit of RUN steps' },
    {
      name: 'shm-size',
      type: 'string',
      value: 'SIZE',
      summary: 'Size of /dev/shm in RUN steps (default 64m)',
    },
    { name: 'cgroup-parent', type: 'string', value: 'PATH', summary: 'Parent cgroup of RUN steps' },
    ...registryFlags,
    {
      name: 'snapshotter',
      type: 'string',
      value: 'NAME',
      summary: 'overlay or copy (default: overlay where the kernel allows it)',
      env: ['TSBUILD_SNAPSHOTTER'],
      choices: ['overlay', 'copy'],
    },
    {
      name: 'no-stat-cache',
      type: 'boolean',
      summary: 'Read every file of the context, whatever its times, size and inode say',
    },
    ...limitFlags.map((flag) =>
      flag.name === 'cache-max-size' ? { ...flag, env: ['TSBUILD_CACHE_MAX_SIZE'] } : flag,
    ),
    {
      name: 'cache-from',
      type: 'list',
      value: 'SPEC',
      summary:
        'Use results of a shared cache: type=registry,ref=NAME, type=local,src=FOLDER or type=s3,bucket=NAME; a name alone is a registry',
    },
    {
      name: 'cache-to',
      type: 'list',
      value: 'SPEC',
      summary:
        'Write a shared cache: type=registry,ref=NAME, type=local,dest=FOLDER, type=s3,bucket=NAME or type=inline; mode=max for all stages',
    },
    {
      name: 'cache-mount',
      type: 'list',
      value: 'id=ID[,key=FILE[:FILE]][,max=SIZE]',
      summary: 'Save this cache mount of RUN to --cache-to and restore it from --cache-from',
    },
    {
      name: 'cache-sign',
      type: 'string',
      value: 'KEYFILE',
      summary: 'Private key (PEM; Ed25519 or ECDSA P-256) that signs the caches that are written',
      completes: 'file',
    },
    {
      name: 'cache-verify',
      type: 'csv',
      value: 'KEYFILE',
      summary: 'Public key (PEM): a cache of --cache-from that none of the keys signed is not used',
      completes: 'file',
    },
    { name: 'check', type: 'boolean', summary: 'Only check the Dockerfile; the same as "tsbuild check"' },
    {
      name: 'call',
      type: 'string',
      value: 'METHOD',
      summary:
        'build, or instead: check the Dockerfile, print the outline of what the target takes, or the targets; with ,format=json as JSON',
    },
    {
      name: 'print',
      type: 'string',
      value: 'METHOD',
      summary: 'The same as --call, for older scripts',
    },
    {
      name: 'provenance',
      type: 'string',
      value: 'false',
      summary: 'Only false: provenance attestations are not made',
    },
    { name: 'sbom', type: 'string', value: 'false', summary: 'Only false: SBOM attestations are not made' },
    {
      name: 'attest',
      type: 'list',
      value: 'type=…,disabled=true',
      summary: 'Only with disabled=true: attestations are not made',
    },
    rootFlag,
    debugFlag,
    ...ignored,
  ],
  examples: [
    { command: 'tsbuild build -t app .', text: 'Build ./Dockerfile and keep the image as app:latest' },
    {
      command: 'tsbuild -f docker/Dockerfile -t registry.example.com/app:1.2 --push .',
      text: 'Build with another Dockerfile and push the result',
    },
    {
      command: 'tsbuild --target test --progress plain .',
      text: 'Build the stage "test" and show all output',
    },
    { command: 'tsbuild -o out .', text: 'Write the files of the last stage to ./out' },
    { command: 'tsbuild -o type=oci,dest=app.tar -t app:1 .', text: 'Write an OCI archive' },
    {
      command: 'tsbuild --build-arg VERSION=1.2 --secret id=npmrc,src=.npmrc -t app .',
      text: 'With an ARG and a secret',
    },
    { command: 'git archive HEAD | tsbuild -t app -', text: 'Build what is committed' },
  ],
  load: () => import('../commands/build.js'),
};

/** Flags of build that decide about keys. */
const keyFlags = [
  'file',
  'target',
  'build-arg',
  'platform',
  'no-cache',
  'no-cache-filter',
  'cache-from',
  'cache-verify',
  'pull',
  'secret',
  'ssh',
  'build-context',
  'network',
  'add-host',
  'allow',
  'ulimit',
  'shm-size',
  'cgroup-parent',
  ...registryFlags.map(({ name }) => name),
  'snapshotter',
  'no-stat-cache',
];

export const explainSpec: CommandSpec = {
  name: 'explain',
  summary: 'Show what a build would find in the cache, and what changed where it would not',
  positionals: '[CONTEXT]',
  arity: { min: 0, max: 1 },
  completes: 'directory',
  description: [
    'Takes what build takes. Nothing runs: base images are looked up, and what ADD names by URL is fetched, as in a build.',
    'A step that copies from one that would have to run has no key before: it is shown with a question mark.',
    '"tsbuild build --explain" tells the same of a build while it runs.',
  ],
  flags: [...buildSpec.flags.filter(({ name }) => keyFlags.includes(name)), formatFlag, rootFlag, debugFlag],
  examples: [
    { command: 'tsbuild explain .', text: 'Would this build run anything, and why?' },
    {
      command: 'tsbuild explain --build-arg VERSION=2 --format json .',
      text: 'As JSON, with all files that changed',
    },
  ],
  load: () => import('../commands/explain.js'),
};

export const checkSpec: CommandSpec = {
  name: 'check',
  aliases: ['lint'],
  summary: 'Check a Dockerfile without building it',
  positionals: '[CONTEXT]',
  arity: { min: 0, max: 1 },
  completes: 'directory',
  direct: true,
  description: [
    'Exits with 1 if there is a warning or an error, so that it can guard a commit.',
    'CONTEXT is as for build, or a Dockerfile. Only the Dockerfile and its .dockerignore are read.',
    'Without --resolve no registry is asked, and stages on images are not checked for undefined variables.',
  ],
  flags: [
    fileFlag,
    targetFlag,
    buildArgFlag,
    platformFlag,
    buildContextFlag,
    {
      name: 'format',
      type: 'string',
      value: 'FORMAT',
      summary: 'text, json (as docker buildx has it) or sarif',
      choices: ['text', 'json', 'sarif'],
    },
    {
      name: 'resolve',
      type: 'boolean',
      summary: 'Ask for base images too (store, then registry), for the variables that they set',
    },
    ...registryFlags,
    rootFlag,
    debugFlag,
  ],
  examples: [
    { command: 'tsbuild check .', text: 'Check ./Dockerfile' },
    { command: 'tsbuild check -f ci/Dockerfile --format json .', text: 'As JSON, for another program' },
    { command: 'tsbuild check --format sarif . > check.sarif', text: 'As SARIF, for a code host' },
  ],
  load: () => import('../commands/check.js'),
};
