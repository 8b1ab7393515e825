/**
 * Refuses wrong options before anything runs: programs in plain JavaScript have no compiler that finds a misspelt or
 * misplaced one, and an option that is passed over without a word builds the wrong image.
 */
import { didYouMean, TsbuildError } from '@tsbuild/core';
import type { OperationName } from '../engine/protocol.js';
import * as check from './checks.js';
import type * as api from './types.js';

const { required, text, texts, flag, map } = check;

const call: check.Fields<api.CallOptions> = {
  root: check.path,
  signal: check.signal,
  onEvent: check.callback,
};
const limits: check.Fields<api.CacheLimits> = {
  maxUsedBytes: check.count,
  minFreeBytes: check.count,
  keepBytes: check.count,
};
const registries: check.Fields<api.RegistryOptions> = {
  insecureRegistries: texts,
  registriesConf: check.path,
};
const compressing = {
  compression: check.oneOf('uncompressed', 'gzip', 'zstd'),
  compressionLevel: check.count,
  forceCompression: flag,
};
const image: check.Fields<api.ImageAttributes> = {
  names: texts,
  ...compressing,
  ociMediatypes: flag,
  rewriteTimestamp: flag,
  annotations: map,
};
const file = { dest: required(check.destination) };

type Output<Type extends api.OutputSpec['type']> = Extract<api.OutputSpec, { type: Type }>;
const outputs: { [Type in api.OutputSpec['type']]: check.Check } = {
  store: check.fields<Output<'store'>>({ type: text, push: flag, ...image }),
  registry: check.fields<Output<'registry'>>({ type: text, ...image }),
  oci: check.fields<Output<'oci'>>({ type: text, tar: flag, ...file, ...image }),
  docker: check.fields<Output<'docker'>>({ type: text, tar: flag, ...file, ...image }),
  tar: check.fields<Output<'tar'>>({ type: text, ...file }),
  local: check.fields<Output<'local'>>({ type: text, dest: required(check.path), platformSplit: flag }),
  cacheonly: check.fields<Output<'cacheonly'>>({ type: text }),
};

type Source<Type extends api.CacheSource['type']> = Extract<api.CacheSource, { type: Type }>;
type Target<Type extends api.CacheTarget['type']> = Extract<api.CacheTarget, { type: Type }>;
const cacheAttributes: check.Fields<api.CacheAttributes> = {
  mode: check.oneOf('min', 'max'),
  ignoreError: flag,
  ...compressing,
  imageManifest: flag,
};
const s3: check.Fields<api.S3Location> = {
  bucket: text,
  region: text,
  name: text,
  prefix: text,
  blobsPrefix: text,
  manifestsPrefix: text,
  endpointUrl: text,
  usePathStyle: flag,
  accessKeyId: text,
  secretAccessKey: text,
  sessionToken: text,
};
const cacheSources: { [Type in api.CacheSource['type']]: check.Check } = {
  registry: check.fields<Source<'registry'>>({ type: text, ref: required(text) }),
  local: check.fields<Source<'local'>>({ type: text, src: required(check.path), tag: text, digest: text }),
  s3: check.fields<Source<'s3'>>({ type: text, ...s3 }),
};
const cacheTargets: { [Type in api.CacheTarget['type']]: check.Check } = {
  registry: check.fields<Target<'registry'>>({ type: text, ref: required(text), ...cacheAttributes }),
  local: check.fields<Target<'local'>>({
    type: text,
    dest: required(check.path),
    tag: text,
    reset: flag,
    ...cacheAttributes,
  }),
  s3: check.fields<Target<'s3'>>({
    type: text,
    touchRefreshMs: check.count,
    uploadParallelism: check.count,
    ...s3,
    ...cacheAttributes,
  }),
  inline: check.fields<Target<'inline'>>({ type: text }),
};

const describing: check.Fields<api.DockerfileOptions> = {
  ...call,
  ...registries,
  context: check.source,
  dockerfile: check.path,
  dockerfileText: text,
  target: text,
  buildArgs: map,
  buildContexts: map,
  platforms: texts,
};
const building: check.Fields<api.ExplainOptions> = {
  ...describing,
  noCache: check.either('true, false or a list of stages', flag, texts),
  cacheFrom: check.list(check.variants(cacheSources)),
  pull: flag,
  cacheVerify: check.list(check.path, 'a list of paths', 1),
  network: check.oneOf('default', 'none', 'host'),
  addHosts: check.list(check.fields<api.HostEntry>({ name: required(text), address: required(text) })),
  secrets: check.list(
    check.fields<api.SecretSpec>({ id: required(text), src: check.path, env: text, value: check.bytes }),
  ),
  ssh: check.list(check.fields<api.SshSpec>({ id: required(text), socket: check.path, keys: texts })),
  allow: texts,
  ulimits: check.list(
    check.fields<api.UlimitSpec>({
      name: required(text),
      soft: required(check.limit),
      hard: required(check.limit),
    }),
  ),
  shmSize: check.count,
  cgroupParent: text,
  sourceDateEpoch: check.count,
  snapshotter: check.oneOf('overlay', 'copy'),
  noStatCache: flag,
};
const reference = { reference: required(text) };
const inspect = check.fields<api.InspectOptions>({ ...call, ...reference, platform: text });

const operations: Record<OperationName, check.Check> = {
  build: check.fields<api.BuildOptions>({
    ...building,
    ...limits,
    labels: map,
    annotations: map,
    tags: texts,
    cacheTo: check.list(check.variants(cacheTargets)),
    cacheSign: check.path,
    outputs: check.list(check.variants(outputs)),
    push: flag,
    cacheMounts: check.list(
      check.fields<api.CacheMountSpec>({ id: required(text), key: texts, maxBytes: check.count }),
    ),
    check: flag,
    explain: flag,
  }),
  explain: check.fields<api.ExplainOptions>(building),
  cacheRecords: check.fields<api.CacheListOptions>({ ...call, filters: texts }),
  cacheRecord: check.fields<api.CacheInspectOptions>({ ...call, key: required(text) }),
  check: check.fields<api.CheckOptions>({ ...describing, resolve: flag }),
  outline: check.fields<api.DockerfileOptions>(describing),
  targets: check.fields<api.DockerfileOptions>(describing),
  pull: check.fields<api.PullOptions>({ ...call, ...registries, ...reference, platform: text }),
  push: check.fields<api.PushOptions>({
    ...call,
    ...registries,
    ...reference,
    destination: text,
    ...compressing,
  }),
  images: check.fields<api.CallOptions>(call),
  tag: check.fields<api.TagOptions>({ ...call, source: required(text), name: required(text) }),
  remove: check.fields<api.RemoveOptions>({ ...call, references: required(texts) }),
  inspect,
  history: inspect,
  importImage: check.fields<api.ImportOptions>({
    ...call,
    source: required(check.source),
    reference: text,
    changes: texts,
    message: text,
    platform: text,
  }),
  load: check.fields<api.LoadOptions>({ ...call, source: required(check.source) }),
  save: check.fields<api.SaveOptions>({
    ...call,
    references: required(check.list(text, 'a list of names', 1)),
    ...file,
    format: check.oneOf('docker', 'oci'),
    folder: flag,
  }),
  run: check.fields<api.RunOptions>({
    ...call,
    ...registries,
    ...reference,
    command: texts,
    entrypoint: texts,
    env: map,
    volumes: check.list(
      check.fields<NonNullable<api.RunOptions['volumes']>[number]>({
        source: required(text),
        target: required(text),
        readonly: flag,
      }),
    ),
    workdir: text,
    user: text,
    hostname: text,
    network: check.oneOf('host', 'none'),
    tty: flag,
    interactive: flag,
    platform: text,
  }),
  login: check.fields<api.LoginOptions>({
    ...registries,
    registry: required(text),
    username: required(text),
    password: required(text),
    signal: check.signal,
  }),
  logout: check.fields<api.LogoutOptions>({ registry: required(text) }),
  prune: check.fields<api.PruneOptions>({
    ...call,
    all: flag,
    ...limits,
    unusedForMs: check.count,
    filters: texts,
    dryRun: flag,
  }),
  fsck: check.fields<api.FsckOptions>({ ...call, repair: flag }),
  diskUsage: check.fields<api.CallOptions>(call),
};

/** @throws TsbuildError TSB_USAGE_OPTION */
export function checkOptions(operation: OperationName, options: unknown): void {
  const fault = operations[operation](options);
  if (!fault) {
    if (['build', 'check', 'explain', 'outline', 'targets'].includes(operation))
      checkExclusive(options as api.BuildOptions);
    return;
  }
  const name = fault.at.replace(/^\./, '');
  if (fault.known) {
    const [, above = '', last = ''] = /^(?:(.*)\.)?([^.]*)$/.exec(name) ?? [];
    throw wrong(
      `${operation}() has no option ${JSON.stringify(name)}${didYouMean(last, fault.known)}`,
      `${above === '' ? 'The options' : `What ${above} takes`}: ${fault.known.join(', ')}.`,
    );
  }
  throw wrong(
    `${operation}(): ${name === '' ? 'the argument' : name} must be ${fault.wanted}`,
    'docs/api.md has all options with their types.',
  );
}

function checkExclusive({ dockerfile, dockerfileText, outputs = [] }: api.BuildOptions): void {
  const streams = outputs.flatMap((output) =>
    'dest' in output && typeof output.dest !== 'string' ? [output.dest] : [],
  );
  if (new Set(streams).size < streams.length)
    throw wrong('build(): two outputs have the same stream', 'Give each output a stream of its own.');
  if (dockerfile !== undefined && dockerfileText !== undefined) {
    throw wrong('build(): dockerfile and dockerfileText exclude each other', 'Give the path, or the text.');
  }
}

function wrong(message: string, hint: string): TsbuildError {
  return new TsbuildError('TSB_USAGE_OPTION', message, { hint });
}
