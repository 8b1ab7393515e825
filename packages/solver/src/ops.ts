/**
 * The vertices of the build graph, as plain data. A vertex's op says what to do; its inputs say on what.
 * The definition that enters the cache key is the op itself (see keys/): every member counts unless its
 * comment says otherwise.
 */
import type { Descriptor, Digest, Platform, SourceRange } from '@tsbuild/core';

export type VertexId = string;

export interface Vertex {
  /** Unique in the graph, in order of planning; not part of any key. */
  id: VertexId;
  op: Op;
  /** What progress shows. Not part of the key. */
  name: string;
  /** Stage name or index as the user knows it. Not part of the key. */
  stage?: string;
  platform: Platform;
  range?: SourceRange;
  /** Never taken from the cache (--no-cache, --no-cache-filter); equal vertices still share one run. */
  ignoreCache: boolean;
  /** Which variables of a RUN an ARG has set, for explanations. Not part of the key. */
  args?: readonly string[];
}

export type Op = ScratchOp | ImageOp | LocalOp | HttpOp | GitOp | RunOp | FileOp | MergeOp;

/** The empty root file system. */
export interface ScratchOp {
  kind: 'scratch';
}

/** Root file system of an image that was resolved while planning. Keyed by the chain id of its layers. */
export interface ImageOp {
  kind: 'image';
  /** For display and for fetching; not part of the key. */
  reference: string;
  manifest: Descriptor;
  /** What the reference names: the index of an image of several platforms, else the manifest. Not part of the key. */
  named?: Digest;
  /** Uncompressed digests, bottom first: all of the key. */
  diffIds: Digest[];
  /** Compressed (or plain) layers as the manifest lists them; not part of the key. */
  layers: Descriptor[];
  /** Where the blobs are: a registry, this store, or an OCI layout folder; not part of the key. */
  origin: { type: 'registry' } | { type: 'store' } | { type: 'oci-layout'; path: string };
}

/** Files of the build context or of a named local context. Has no key of its own: always compared by content. */
export interface LocalOp {
  kind: 'local';
  /** 'context', or the name of the named context. */
  name: string;
}

/** One file fetched over http(s). Keyed by its content, name, mode, owner and time once fetched. */
export interface HttpOp {
  kind: 'http';
  url: string;
  filename: string;
  checksum?: Digest;
  mode?: number;
  uid?: number;
  gid?: number;
}

/** A tree of a git repository. Keyed by commit and flags once resolved. */
export interface GitOp {
  kind: 'git';
  remote: string;
  ref?: string;
  subdir?: string;
  keepGitDir: boolean;
  submodules: boolean;
  checksum?: string;
}

export interface RunOp {
  kind: 'run';
  base: VertexId;
  args: string[];
  /** In order; without proxies. */
  env: [name: string, value: string][];
  /** Not part of the key. */
  proxyEnv: [name: string, value: string][];
  cwd: string;
  /** As in USER, '' for root. */
  user: string;
  hostname: string;
  network: 'default' | 'none' | 'host';
  security: 'sandbox' | 'insecure';
  mounts: RunMount[];
  /** What is written of each of `mounts`; only keys of BuildKit's (see buildkit-keys/) need it. Not part of the key. */
  mountsAsWritten: MountAsWritten[];
  /** Only the names enter the key. */
  extraHosts: { name: string; address: string }[];
  /** Bytes of /dev/shm; default 64 MiB. */
  shmSize?: number;
  ulimits: { name: string; soft: number; hard: number }[];
  cgroupParent?: string;
  /** Files that exist only while the step runs: heredoc scripts at /dev/pipes/NAME. */
  scripts: { path: string; data: string; mode: number }[];
  devices: { name: string; required: boolean }[];
}

export interface MountAsWritten {
  /** Position among the instruction's mounts. */
  position: number;
  /** Expanded; '' where there is none. */
  id: string;
  /** Expanded, maybe relative; '' where there is none. */
  target: string;
  /** Has a mode, uid or gid. */
  owned: boolean;
}

export type RunMount =
  | { type: 'bind'; target: string; from: VertexId; source: string; readonly: boolean }
  | {
      type: 'cache';
      target: string;
      /** Full id, name space included. Not part of the key (BuildKit leaves it out). */
      id: string;
      sharing: 'shared' | 'private' | 'locked';
      from?: VertexId;
      source: string;
      readonly: boolean;
      mode: number;
      uid: number;
      gid: number;
    }
  | { type: 'tmpfs'; target: string /** Bytes; 0: the kernel's default. */; size: number; readonly: boolean }
  | {
      type: 'secret';
      id: string;
      /** Where the file goes, unless it is only an environment variable. */
      target?: string;
      env?: string;
      required: boolean;
      mode: number;
      uid: number;
      gid: number;
    }
  | { type: 'ssh'; id: string; target: string; required: boolean; mode: number; uid: number; gid: number };

/** WORKDIR, COPY and ADD: file actions on a fresh upper directory over `base`, one layer. */
export interface FileOp {
  kind: 'file';
  base: VertexId;
  actions: FileAction[];
}

/** `user[:group]` as written: names are looked up in the destination's passwd and group files. */
export type OwnerSpec = string;

export type FileAction = MkdirAction | MkfileAction | CopyAction;

export interface MkdirAction {
  type: 'mkdir';
  /** Absolute, cleaned. Existing directories are left as they are; parents are made alike. */
  path: string;
  mode: number;
  owner?: OwnerSpec;
  /** Nanoseconds since the epoch as a decimal string; now if unset. */
  mtime?: string;
}

/** A heredoc of COPY or ADD. */
export interface MkfileAction {
  type: 'mkfile';
  /** Name the file gets where the destination is a directory. */
  name: string;
  data: string;
  destination: string;
  /** As for copy. */
  dotted?: true;
  /** Octal text or symbolic, as for copy. Default 0644. */
  chmod?: string;
  chown?: OwnerSpec;
}

export interface CopyAction {
  type: 'copy';
  from: VertexId;
  /** Source as written after expansion, cleaned against `/`; may hold wildcards. Only the base name and the
   * content of what it selects enter the key. */
  source: string;
  /** Absolute; a trailing `/` means a directory. */
  destination: string;
  /** The destination is written with `/.` at its end, which BuildKit's keys tell from `/`. Not part of the key. */
  dotted?: true;
  chown?: OwnerSpec;
  /** Octal digits, or a symbolic mode such as `u+x,go=rX`. */
  chmod?: string;
  exclude: string[];
  /** COPY --parents: what follows the pivot is a pattern, see dockerfile semantics 10.12. */
  parents: boolean;
  /** ADD of a local archive: 'auto' unpacks what looks like one. */
  unpack: 'never' | 'auto' | 'always';
  /** Files count as 0:0 (a local context); false keeps the source's owners. */
  ownerZero: boolean;
  /** ADD of a URL or a repository. Not part of the key. */
  remote?: true;
  /** FROM of a local folder: the step is only there to make the folder a root file system. Not part of the key. */
  wholeContext?: true;
}

/** Layers of `upper` (made on scratch) put on top of `lower`: COPY --link. */
export interface MergeOp {
  kind: 'merge';
  lower: VertexId;
  upper: VertexId;
}
