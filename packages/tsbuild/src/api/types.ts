/**
 * The public API on one page. Everything here is plain data but for streams, callbacks and AbortSignal, so that
 * it can cross to the engine process; see engine/protocol.ts for how those do.
 *
 * Every function that does work takes `signal`; an aborted call rejects with TSB_CANCELLED_ABORTED once nothing
 * it started is left. Failures a user can act on are TsbuildError.
 */
import type { Readable, Writable } from 'node:stream';
import type {
  BuildEvent,
  CacheCause,
  CacheOutcome,
  Descriptor,
  Digest,
  EventSink,
  ImageConfig,
  ImageIndex,
  ImageManifest,
  Outline,
  OutlineTarget,
  SourceRange,
  TsbuildError,
} from '@tsbuild/core';

export type { BuildEvent, EventSink, Outline, OutlineTarget };
export type {
  CacheCause,
  CacheCauseKind,
  CacheOutcome,
  FileAspect,
  FileChange,
  Lines,
  OutlineArg,
  OutlineInput,
} from '@tsbuild/core';

/** What every call takes. */
export interface CallOptions {
  /** Folder of the store. Default: /var/lib/tsbuild for root, else $XDG_DATA_HOME/tsbuild or ~/.local/share/tsbuild. */
  root?: string;
  /** Cancels the call. */
  signal?: AbortSignal;
  /** Progress. Called in order; what it throws is thrown at the caller once the call has ended. */
  onEvent?: EventSink;
}

/** How registries are reached. Credentials come from docker's and podman's own files. */
export interface RegistryOptions {
  /** `host[:port]` of registries that may be spoken to by plain http or with any certificate. Loopback always may. */
  insecureRegistries?: string[];
  /** A registries.conf (version 2). Default: the user's, then /etc/containers/registries.conf. */
  registriesConf?: string;
}

export type NetworkMode = 'default' | 'none' | 'host';

export interface SecretSpec {
  /** As the Dockerfile has it. */
  id: string;
  /** Path of a file. Without `src`, `env` and `value`: the environment variable, else the file, named like the id. */
  src?: string;
  /** Name of an environment variable. */
  env?: string;
  /** The secret itself. */
  value?: string | Uint8Array;
}

export interface SshSpec {
  /** `default` where the Dockerfile gives no id. */
  id: string;
  /** Path of an agent's socket. Default: $SSH_AUTH_SOCK. */
  socket?: string;
  /** Paths of private keys without passphrases, instead of a socket: an agent of the build's own holds them. */
  keys?: string[];
}

export interface UlimitSpec {
  /** As in setrlimit(2), in lower case: nofile, nproc, core … */
  name: string;
  /** In the units of setrlimit(2); -1 is no limit. */
  soft: number;
  /** As `soft`. */
  hard: number;
}

export interface HostEntry {
  /** Name for /etc/hosts. */
  name: string;
  /** An address, or `host-gateway`. */
  address: string;
}

export type Compression = 'uncompressed' | 'gzip' | 'zstd';

/** How an image's blobs and documents are written. */
export interface ImageAttributes {
  /** Names the image gets there; default: the build's tags. */
  names?: string[];
  /** Layers of this build; base layers keep what they have. Default: gzip, but uncompressed in the store. */
  compression?: Compression;
  /** gzip 0–9 (default 4), zstd 1–22 (default 3). */
  compressionLevel?: number;
  /** Base layers get the same compression too. */
  forceCompression?: boolean;
  /** OCI media types (default), or docker's (type=docker only defaults to docker's). */
  ociMediatypes?: boolean;
  /** With a source date epoch: also clamp the times of files in new layers. */
  rewriteTimestamp?: boolean;
  /** Annotations of the manifest, beside those of the build. */
  annotations?: Record<string, string>;
}

/** Where a path is asked for: a path, `-` for the standard output, or a stream (which is ended). */
export type FileDestination = string | Writable;

export type OutputSpec =
  /** Kept in the store under the tags (the default). */
  | ({ type: 'store'; push?: boolean } & ImageAttributes)
  /** Pushed only. */
  | ({ type: 'registry' } & ImageAttributes)
  /** An OCI layout: a tar file, or with `tar: false` a folder. */
  | ({ type: 'oci'; dest: FileDestination; tar?: boolean } & ImageAttributes)
  /** What `docker load` reads. */
  | ({ type: 'docker'; dest: FileDestination; tar?: boolean } & ImageAttributes)
  /** The root file system as one tar. */
  | { type: 'tar'; dest: FileDestination }
  /** The root file system in a folder; with several platforms in a folder each, named like `linux_arm64`. */
  | { type: 'local'; dest: string; platformSplit?: boolean }
  /** Built and kept in the cache only. */
  | { type: 'cacheonly' };

/** A bucket of Amazon S3, or of a server that speaks its protocol, and where in it caches are kept. */
export interface S3Location {
  /** Name of the bucket. Default: $AWS_BUCKET. */
  bucket?: string;
  /** Default: $AWS_REGION, else what the AWS configuration says. */
  region?: string;
  /** Name of the cache; of several with `;` between them all are written, the first is read. Default: buildkit. */
  name?: string;
  /** Stands before all keys of objects. */
  prefix?: string;
  /** Stands before the digests of blobs. Default: `blobs/`. */
  blobsPrefix?: string;
  /** Stands before names of caches. Default: `manifests/`. */
  manifestsPrefix?: string;
  /** URL of another server than Amazon's. */
  endpointUrl?: string;
  /** The bucket is part of the path, not of the host name. */
  usePathStyle?: boolean;
  /** Default: the keys that the AWS command line would use. */
  accessKeyId?: string;
  /** Goes with `accessKeyId`. */
  secretAccessKey?: string;
  /** Of temporary keys. */
  sessionToken?: string;
}

/** A shared cache to look results up in. */
export type CacheSource =
  /** A cache that was pushed, or an image with an inline cache. */
  | { type: 'registry'; ref: string }
  /** A folder; `digest` reads that manifest whatever the folder's index names. */
  | { type: 'local'; src: string; tag?: string; digest?: string }
  | ({ type: 's3' } & S3Location);

/** How a cache is written. */
export interface CacheAttributes {
  /** `min` (the default): the steps whose layers are in the result; `max`: all steps of all stages. */
  mode?: 'min' | 'max';
  /** A failed export does not fail the build. */
  ignoreError?: boolean;
  /** Of layers. Default: gzip. */
  compression?: Compression;
  /** 0 to 9 for gzip, 1 to 22 for zstd. */
  compressionLevel?: number;
  /** Recompress layers that came with an image. */
  forceCompression?: boolean;
  /** False: an index, the form of older BuildKits, for registries that refuse the image manifest. */
  imageManifest?: boolean;
}

/** A shared cache to write after the build. */
export type CacheTarget =
  | ({ type: 'registry'; ref: string } & CacheAttributes)
  /** `reset` removes blobs that the folder's manifests do not name any more. */
  | ({ type: 'local'; dest: string; tag?: string; reset?: boolean } & CacheAttributes)
  /** Blobs older than `touchRefreshMs` get a new time when they are needed again, so that a rule that removes old ones spares them. */
  | ({ type: 's3'; touchRefreshMs?: number; uploadParallelism?: number } & S3Location & CacheAttributes)
  /** In the image's own config; what it needs are the image's layers. */
  | { type: 'inline' };

/** A cache mount that travels with shared caches. */
export interface CacheMountSpec {
  /** As `id=` of RUN --mount=type=cache has it, else its target. */
  id: string;
  /**
   * Files of the build context, relative to it: the mount that was saved when they had the same content is restored,
   * else the newest; and it is saved only where there is none under their content. Default: saved when it changed.
   */
  key?: string[];
  /** Most bytes of content that are saved or restored. Default: 10 GiB. */
  maxBytes?: number;
}

export interface BuildOptions extends CallOptions, RegistryOptions, CacheLimits {
  /**
   * A folder, a tar file (plain, gzip, zstd …), an http(s) or git URL, `-` for the standard input (a tar, or a
   * Dockerfile), a stream of a tar, or nothing: an empty context.
   */
  context?: string | Readable | undefined;
  /** Path of the Dockerfile, relative to the working directory (in git and tar contexts: to their root). Default: Dockerfile in the context. */
  dockerfile?: string;
  /** The Dockerfile itself. */
  dockerfileText?: string;
  /** Stage to build. Default: the last one. */
  target?: string;
  /** Values of ARG. */
  buildArgs?: Record<string, string>;
  /** Labels of the image, over those of the Dockerfile. */
  labels?: Record<string, string>;
  /** Annotations of the manifest; a prefix (`index:`, `manifest-descriptor:` …) puts them elsewhere. */
  annotations?: Record<string, string>;
  /** Names of the image. */
  tags?: string[];
  /** `os/arch[/variant]`; several give an index. Default: this machine's. */
  platforms?: string[];
  /** True: nothing from the cache; a list: not the steps of these stages. */
  noCache?: boolean | string[];
  /** Shared caches to use results of. Only those named here are believed. */
  cacheFrom?: CacheSource[];
  /** Shared caches to write. */
  cacheTo?: CacheTarget[];
  /** Ask the registry for a newer image even where the store has one of that name. */
  pull?: boolean;
  /** Path of a private key (PEM; Ed25519, or ECDSA on P-256) that signs the caches that are written. */
  cacheSign?: string;
  /** Paths of public keys (PEM): a shared cache that none of them signed is not used. */
  cacheVerify?: string[];
  /** Network of RUN steps. Default: host. */
  network?: NetworkMode;
  /** Lines of /etc/hosts in RUN steps. */
  addHosts?: HostEntry[];
  /** Where the result goes. Default: the store, under the tags. */
  outputs?: OutputSpec[];
  /** Cache mounts of RUN that shared caches hold too: saved by cacheTo, restored from cacheFrom when a step needs one. */
  cacheMounts?: CacheMountSpec[];
  /** Also push the image under its tags. */
  push?: boolean;
  /** For RUN --mount=type=secret. */
  secrets?: SecretSpec[];
  /** For RUN --mount=type=ssh. */
  ssh?: SshSpec[];
  /** name → folder, docker-image://REF, oci-layout://PATH[:TAG|@DIGEST], target:NAME, http(s) or git URL. */
  buildContexts?: Record<string, string>;
  /** Entitlements: network.host, security.insecure, device. */
  allow?: string[];
  /** Resource limits of RUN steps. */
  ulimits?: UlimitSpec[];
  /** Bytes of /dev/shm in RUN. */
  shmSize?: number;
  /** Parent of the cgroups of RUN steps. */
  cgroupParent?: string;
  /** Seconds since the epoch; default: the environment's SOURCE_DATE_EPOCH. */
  sourceDateEpoch?: number;
  /** Only check: parse, lint and plan the Dockerfile, resolve its images, run nothing. */
  check?: boolean;
  /** Tell of each step whether the cache had its result, and if not, what changed since the last build. */
  explain?: boolean;
  /** Default: overlay where it works. */
  snapshotter?: 'overlay' | 'copy';
  /** Read every file of the contexts again, whatever its times, size and inode say. */
  noStatCache?: boolean;
}

/** What decides about cache keys: the members mean what they mean for build(). */
export interface ExplainOptions
  extends CallOptions,
    RegistryOptions,
    Pick<
      BuildOptions,
      | 'context'
      | 'dockerfile'
      | 'dockerfileText'
      | 'target'
      | 'buildArgs'
      | 'platforms'
      | 'noCache'
      | 'cacheFrom'
      | 'cacheVerify'
      | 'pull'
      | 'network'
      | 'addHosts'
      | 'secrets'
      | 'ssh'
      | 'buildContexts'
      | 'allow'
      | 'ulimits'
      | 'shmSize'
      | 'cgroupParent'
      | 'sourceDateEpoch'
      | 'snapshotter'
      | 'noStatCache'
    > {}

/** What the cache has of a step. */
export interface StepExplanation {
  /** As progress shows it: `[build 2/5] RUN make`. */
  name: string;
  /** Name of the stage, or `stage-N`. */
  stage?: string;
  /** `os/arch[/variant]`. */
  platform: string;
  /** `unknown`: the key depends on files that another step would have to make first. */
  outcome: CacheOutcome;
  /** Cache key, where it is known. */
  key?: Digest;
  /** Why it is no hit, the most telling cause first. */
  causes: CacheCause[];
}

export interface ExplainResult {
  /** RUN, COPY, ADD and WORKDIR of what the target needs, in order. */
  steps: StepExplanation[];
}

/** What describing a Dockerfile takes: the members mean what they mean for build(). */
export interface DockerfileOptions
  extends CallOptions,
    RegistryOptions,
    Pick<
      BuildOptions,
      'context' | 'dockerfile' | 'dockerfileText' | 'target' | 'buildArgs' | 'buildContexts' | 'platforms'
    > {}

export interface CheckOptions extends DockerfileOptions {
  /**
   * Ask for base images too (the store, then their registry), so that the variables they set are known: otherwise a
   * stage on an image is not checked for undefined variables.
   */
  resolve?: boolean;
}

/** The Dockerfile that was read. */
export interface DockerfileText {
  /** Path or name as it was given. */
  name: string;
  /** All of it. */
  text: string;
}

export interface CheckFinding extends BuildWarning {
  /** What the rule asks for, whatever was found. */
  description: string;
  /** Counts from 1. */
  line: number;
  /** The place in the Dockerfile. */
  range: SourceRange;
}

export interface CheckResult {
  /** What was checked. */
  file: DockerfileText;
  /** In order of place. */
  warnings: CheckFinding[];
  /** What makes a build fail before any step runs; what keeps the file from being parsed is thrown. */
  error?: TsbuildError;
}

export interface OutlineResult extends Outline {
  /** What was read. */
  file: DockerfileText;
}

export interface TargetsResult {
  /** What was read. */
  file: DockerfileText;
  /** Stages, in order. */
  targets: OutlineTarget[];
}

/** What `docker buildx build --metadata-file` writes, the same names. */
export interface BuildMetadata {
  /** A name of this build, another one each time. */
  'buildx.build.ref': string;
  /** Digest of the manifest or index. */
  'containerimage.digest'?: Digest;
  /** Digest of the config. */
  'containerimage.config.digest'?: Digest;
  /** Descriptor of the manifest or index. */
  'containerimage.descriptor'?: Descriptor;
  /** Names, joined by commas. */
  'image.name'?: string;
}

export interface OutputResult {
  /** Which output this is the result of. */
  type: OutputSpec['type'];
  /** Path where one was given. */
  dest?: string;
  /** Digest of the manifest or index as this output wrote it. */
  digest?: Digest;
  /** Full names it wrote. */
  names: string[];
}

export interface BuildWarning {
  /** Name of the build check. */
  rule: string;
  /** What is wrong. */
  message: string;
  /** Page about the check. */
  url?: string;
  /** Line of the Dockerfile, from 1. */
  line?: number;
}

export interface BuildResult {
  /** Digest of the manifest or index of the first output that is an image. */
  digest?: Digest;
  /** Digest of the config ("image id"); only with one platform. */
  configDigest?: Digest;
  /** Full names (`docker.io/library/x:latest`). */
  names: string[];
  /** What it was built for, `os/arch[/variant]`. */
  platforms: string[];
  /** One for each output, in order. */
  outputs: OutputResult[];
  /** Build checks that were not passed. */
  warnings: BuildWarning[];
  /** With `explain`: what the cache had of each step. */
  steps?: StepExplanation[];
  /** What `--metadata-file` of the command line writes. */
  metadata: BuildMetadata;
}

/**
 * A running build. Await it for the result, or iterate it for the events: begin the loop at once, events that pass
 * while no loop runs are not kept. A failed build ends the loop by throwing. Leaving the loop early does not cancel
 * the build: `signal` does.
 */
export interface BuildPromise extends Promise<BuildResult>, AsyncIterable<BuildEvent> {}

export interface PullOptions extends CallOptions, RegistryOptions {
  /** Name, with a tag or a digest. */
  reference: string;
  /** Default: this machine's. */
  platform?: string;
}

export interface PushOptions
  extends CallOptions,
    RegistryOptions,
    Pick<ImageAttributes, 'compression' | 'compressionLevel' | 'forceCompression'> {
  /** Name in the store. */
  reference: string;
  /** Name to push under; default: the same. */
  destination?: string;
}

export interface PushResult {
  /** Full name it was pushed under. */
  name: string;
  /** Digest of the manifest or index as the registry has it. */
  digest: Digest;
}

export interface TagOptions extends CallOptions {
  /** Name, digest or id of an image in the store. */
  source: string;
  /** Further name, also one that another image has. */
  name: string;
}

export interface RemoveOptions extends CallOptions {
  /** Names, digests or ids; a digest or id takes all its names away. */
  references: string[];
}

export interface RemovedImage {
  /** Full name that was taken away. */
  name: string;
  /** Digest of the manifest or index that it named. */
  digest: Digest;
}

export interface InspectOptions extends CallOptions {
  /** Name, digest or id of an image in the store. */
  reference: string;
  /** Which one of an index. Default: this machine's. */
  platform?: string;
}

export interface RunResult {
  /** Status of the command; 128 + number where a signal ended it. */
  exitCode: number;
}

/** An image as the store has it. */
export interface ImageSummary {
  /** Full name with tag. */
  name: string;
  /** Name as people write it: `busybox:latest` for docker.io/library/busybox:latest. */
  familiarName: string;
  /** Digest of manifest or index. */
  digest: Digest;
  /** Digest of the config ("image id"); only of an image of one platform. */
  configDigest?: Digest;
  /** `os/arch[/variant]` of each that is in the store. */
  platforms: string[];
  /** RFC 3339. */
  created?: string;
  /** Bytes of the blobs. */
  size: number;
}

export interface ImageDetails {
  /** Full name, where it has one. */
  name?: string;
  /** Digest of manifest or index. */
  digest: Digest;
  /** Descriptor of the manifest. */
  descriptor: Descriptor;
  /** Where the name is of an index. */
  index?: ImageIndex;
  /** Manifest of the platform. */
  manifest: ImageManifest;
  /** Config of the platform. */
  config: ImageConfig;
}

export interface HistoryLine {
  /** RFC 3339. */
  created?: string;
  /** The instruction. */
  createdBy: string;
  /** What made it, `buildkit.dockerfile.v0` for instructions. */
  comment?: string;
  /** Bytes of the layer's blob; 0 for an entry without one. */
  size: number;
  /** Digest of the layer's tar; absent for an entry without one. */
  diffId?: Digest;
}

export interface ImportOptions extends CallOptions {
  /** A root file system's tar or an image archive (docker save, OCI): path, `-`, or stream; plain, gzip, zstd, xz or bzip2. */
  source: string | Readable;
  /** Name the image gets; archives bring names of their own. */
  reference?: string;
  /** Dockerfile instructions for the config: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, USER, VOLUME, WORKDIR, … */
  changes?: string[];
  /** Comment in the image's history. Default: imported. */
  message?: string;
  /** Platform that is written into the config. Default: this machine's. */
  platform?: string;
}

export interface ImportedImage {
  /** Digest of the first image's manifest or index. */
  digest: Digest;
  /** Full names. */
  names: string[];
}

export interface LoadOptions extends CallOptions {
  /** docker archive, OCI archive (tar, plain or compressed) or OCI layout folder. */
  source: string | Readable;
}

export interface SaveOptions extends CallOptions {
  /** Names, digests or ids of images in the store. */
  references: string[];
  /** Where the archive goes; with `folder` a path. */
  dest: FileDestination;
  /** Default: docker. */
  format?: 'docker' | 'oci';
  /** Write a folder instead of a tar (oci). */
  folder?: boolean;
}

export interface RunOptions extends CallOptions, RegistryOptions {
  /** Name in the store; pulled where it is not there. */
  reference: string;
  /** Replaces the image's command. */
  command?: string[];
  /** Replaces the entry point; an empty list clears it. */
  entrypoint?: string[];
  /** Variables, over those of the image. */
  env?: Record<string, string>;
  /** Folders and files of this machine in the container. */
  volumes?: { source: string; target: string; readonly?: boolean }[];
  /** Default: the image's. */
  workdir?: string;
  /** `name|uid[:group|gid]`. Default: the image's. */
  user?: string;
  /** Default: the first twelve digits of the image's digest. */
  hostname?: string;
  /** Default: host. */
  network?: 'host' | 'none';
  /** Needs the caller's standard input to be a terminal. */
  tty?: boolean;
  /** Keep standard input open. */
  interactive?: boolean;
  /** Default: this machine's. */
  platform?: string;
}

export interface LoginOptions {
  /** `host[:port]`. */
  registry: string;
  /** Name of the account. */
  username: string;
  /** Password or token. */
  password: string;
  /** As in `RegistryOptions`. */
  insecureRegistries?: string[];
  /** As in `RegistryOptions`. */
  registriesConf?: string;
  /** Cancels the call. */
  signal?: AbortSignal;
}

export interface LogoutOptions {
  /** `host[:port]`. */
  registry: string;
}

/** How much of the disk the store may take. What images, and builds that run, need stays in any case. */
export interface CacheLimits {
  /** Bytes that the whole store may take at most, as du(1) counts them. */
  maxUsedBytes?: number | undefined;
  /** Bytes that shall be free on the store's file system. */
  minFreeBytes?: number | undefined;
  /** Bytes that the store may take whatever the other two say; alone: the most it may take. */
  keepBytes?: number | undefined;
}

export interface PruneOptions extends CallOptions, CacheLimits {
  /** Also every image. */
  all?: boolean;
  /** Only what was not used for this long, milliseconds. */
  unusedForMs?: number;
  /**
   * Only what fits all of them: `until=24h`, and `type`, `id` or `description` of a `StoreEntry` with `=`, `!=` or `~=` (a
   * regular expression), for example `type=mount`.
   */
  filters?: string[];
  /** Say what would go, and leave it. */
  dryRun?: boolean;
}

export interface PruneResult {
  /** Cache records that went. */
  records: number;
  /** Snapshots that went. */
  snapshots: number;
  /** Blobs that went. */
  blobs: number;
  /** Bytes freed (or that would be). */
  bytes: number;
  /** Bytes that the store takes afterwards. */
  total: number;
  /** Bytes that it was to take at most, where limits were given. */
  limit?: number;
  /** What went, in order; the bytes add up. */
  removed: PrunedEntry[];
}

export interface PrunedEntry {
  /** As in `StoreEntry`, or the name of an image. */
  type: StoreEntry['type'] | 'image';
  /** As in `StoreEntry`. */
  id: string;
  /** As in `StoreEntry`. */
  description: string;
  /** Bytes that its removal gave back. */
  bytes: number;
  /** Number of snapshots among it. */
  snapshots: number;
}

export interface FsckOptions extends CallOptions {
  /** Remove what is broken, so that the next build makes or fetches it again, and what killed processes left. */
  repair?: boolean;
}

export interface FsckResult {
  /** There is no fault, or none that was not repaired. */
  clean: boolean;
  /** What was looked at. */
  checked: {
    /** Blobs, all of them read. */
    blobs: number;
    /** Bytes of the blobs. */
    blobBytes: number;
    /** Names of images. */
    images: number;
    /** Snapshots. */
    snapshots: number;
    /** Those whose files were compared by name, mode, owner, size, time and attributes. */
    snapshotsCompared: number;
    /** Those whose files were all read, and compared with a layer's digest. */
    snapshotsRead: number;
    /** Files of the index. */
    records: number;
    /** RUN cache mounts; what is in them is not known. */
    mounts: number;
  };
  /** In the order they were found. */
  findings: FsckFinding[];
}

export interface FsckFinding {
  /** `fault`: something is not as it was written. `leftover`: of killed processes, harmless. */
  severity: 'fault' | 'leftover';
  /** Full path. */
  path: string;
  /** What is wrong. */
  message: string;
  /** What comes of it. */
  meaning: string;
  /** It was repaired. */
  repaired: boolean;
}

export interface DiskUsage {
  /** Bytes on the disk, as du(1) counts them. */
  total: number;
  /** Bytes that prune() would free now. */
  reclaimable: number;
  /** Each image with the bytes of its blobs. */
  images: { name: string; digest: Digest; bytes: number }[];
  /** Bytes of blobs, each counted once. */
  blobs: { count: number; bytes: number };
  /** Bytes of file systems of steps and layers. */
  snapshots: { count: number; bytes: number };
  /** Bytes of RUN --mount=type=cache. */
  cacheMounts: { count: number; bytes: number };
  /** Files of the index. */
  index: { count: number; bytes: number };
  /** Work in progress, and what killed processes left. */
  temporary: { count: number; bytes: number };
  /** Bytes of folders, names, locks and leases. With the five above it adds up to `total`. */
  other: number;
  /** Everything in the store, each byte once: the sizes add up to `total`. */
  entries: StoreEntry[];
  /** Results of steps that can be reused. */
  records: DiskUsageRecord[];
}

export interface StoreEntry {
  /**
   * `step`: result of a step, with its record; `source`: layer of an image, downloaded file, or what a name of an image
   * stands for; `blob`; `mount`: RUN cache mount; `index`: other files of the index; `temporary`; `store`: the rest.
   */
  type: 'step' | 'source' | 'blob' | 'mount' | 'index' | 'temporary' | 'store';
  /** Cache key, digest, name, id of a cache mount, or path in the store. */
  id: string;
  /** The step, or what the thing is. */
  description: string;
  /** Bytes on the disk that only this entry takes. */
  bytes: number;
  /** RFC 3339. */
  createdAt?: string;
  /** RFC 3339. */
  usedAt: string;
  /** A live process uses it, or may. */
  inUse: boolean;
}

export interface CacheListOptions extends CallOptions {
  /**
   * `until=DURATION` (not used for so long), `id=KEY`, `description=TEXT`, `description~=REGEXP` (also `!=`), `inuse=true`.
   * All must hold.
   */
  filters?: string[];
}

export interface CacheInspectOptions extends CallOptions {
  /** Key, or its first digits. */
  key: string;
}

/** Result of a step that can be reused. */
export interface CacheRecordSummary {
  /** Cache key. */
  key: Digest;
  /** The step. */
  description: string;
  /** Bytes of the layer this step added. */
  bytes: number;
  /** RFC 3339. */
  createdAt: string;
  /** When a build last used it, RFC 3339. */
  usedAt: string;
  /** A live build holds it. */
  inUse: boolean;
  /** Shared caches it was taken from on trust. */
  imported?: string[];
}

export interface CacheRecordDetails extends CacheRecordSummary {
  /** The root file system, bottom first. */
  layers: CacheRecordLayer[];
  /** What made it, where a build that had the step is on record. */
  step?: CacheRecordStep;
}

export interface CacheRecordLayer {
  /** Name of its folder in the store. */
  snapshot: string;
  /** Bytes on the disk. */
  bytes: number;
  /** Whether it is in the store. */
  present: boolean;
  /** When it was made, RFC 3339; layers of a base image have none. */
  createdAt?: string;
  /** Digest of its tar, where it is known. */
  diffId?: Digest;
  /** The blob it came as. */
  blob?: Descriptor;
  /** Shared caches it was taken from on trust. */
  imported?: readonly string[];
}

export interface CacheRecordStep {
  /** As the Dockerfile has it. */
  instruction: string;
  /** Name of the stage, or `stage-N`. */
  stage: string;
  /** `os/arch[/variant]`. */
  platform: string;
  /** Path or name of the Dockerfile. */
  dockerfile?: string;
  /** The build context. */
  context?: string;
  /** Key of what it stands on. */
  baseKey: Digest;
  /** What it stands on: an instruction or an image. */
  base?: string;
  /** What the key is made of, by name; values of secrets are not shown. */
  parts: Record<string, string>;
}

export interface DiskUsageRecord {
  /** Cache key. */
  key: Digest;
  /** The step. */
  description: string;
  /** RFC 3339. */
  createdAt: string;
  /** When a build last used it, RFC 3339. */
  usedAt: string;
  /** Bytes of the layer this step added. */
  bytes: number;
  /** A live build holds it. */
  inUse: boolean;
}
