/**
 * The one stream of events that every view is made from: tty and plain progress, rawjson, the library's
 * iterable. Each event is plain JSON data (log output is text; bytes that are not UTF-8 become U+FFFD).
 * Times are milliseconds since the epoch.
 */
import type { Digest } from './digest.js';
import type { SourceRange } from './source.js';

export type BuildEvent =
  | VertexPlanned
  | VertexStarted
  | VertexCompleted
  | VertexLog
  | VertexTransfer
  | VertexExplained
  | WarningEvent
  | NoticeEvent;

/** A step is known. `name` is what the views show, for example `[build 2/5] RUN make`. */
export interface VertexPlanned {
  type: 'vertex';
  id: string;
  name: string;
  inputs: string[];
  /** Stage name or index, where the step stands in a stage. */
  stage?: string;
  platform?: string;
  /** Lines of the Dockerfile. */
  range?: SourceRange;
}

export interface VertexStarted {
  type: 'started';
  id: string;
  at: number;
}

export interface VertexCompleted {
  type: 'completed';
  id: string;
  at: number;
  /** The result came from the cache; nothing ran. */
  cached: boolean;
  error?: string;
  canceled?: boolean;
  usage?: StepUsage;
}

/** What a RUN step used. */
export interface StepUsage {
  userSeconds: number;
  systemSeconds: number;
  /** Largest resident set of any process of the step, bytes. */
  maxRssBytes: number;
}

export interface VertexLog {
  type: 'log';
  id: string;
  stream: 'stdout' | 'stderr';
  text: string;
  at: number;
}

/** Bytes that move or are worked on: a pull, a push, an unpack, an export. */
export interface VertexTransfer {
  type: 'transfer';
  id: string;
  /** What is moving: a short digest, a file name. */
  item: string;
  action:
    | 'resolving'
    | 'downloading'
    | 'unpacking'
    | 'packing'
    | 'compressing'
    | 'uploading'
    | 'exists'
    | 'done';
  current: number;
  total?: number;
  at: number;
}

/** Whether the cache had a step's result, and if not, why. Only where explanations were asked for. */
export interface VertexExplained {
  type: 'explained';
  id: string;
  outcome: CacheOutcome;
  /** The step's cache key, where it is known. */
  key?: Digest;
  /** Empty for a hit; the most telling one first. */
  causes: CacheCause[];
}

/** `unknown`: the key depends on files that a step which did not run would make. */
export type CacheOutcome = 'hit' | 'miss' | 'unknown';

/** One thing that kept a step from being found in the cache. */
export interface CacheCause {
  kind: CacheCauseKind;
  /** For people, without a full stop: `src/app.js content changed; 2 files added (a.txt, b.txt)`. */
  text: string;
  /** The files, where files changed. */
  files?: FileChange[];
  /** How many files changed, where the list has only the first of them. */
  fileCount?: number;
}

/**
 * - `new`: no build of this step is on record
 * - `forced`: `--no-cache` or `--no-cache-filter`
 * - `gone`: nothing changed, but the result is not there any more
 * - `untrusted`: there is a result, from a shared cache that the build does not name
 * - `unfinished`: nothing changed, but the step has not succeeded yet
 * - `below`: the step it stands on is another or was made again
 * - `image`: the base image has other layers
 * - `instruction`: the command, a flag, a source, a heredoc …
 * - `variable`: an ENV or ARG
 * - `option`: an option of the build
 * - `files`: what it copies or mounts
 * - `version`: tsbuild itself
 * - `waits`: its files come from a step that would have to run
 */
export type CacheCauseKind =
  | 'new'
  | 'forced'
  | 'gone'
  | 'untrusted'
  | 'unfinished'
  | 'below'
  | 'image'
  | 'instruction'
  | 'variable'
  | 'option'
  | 'files'
  | 'version'
  | 'waits';

export interface FileChange {
  /** Relative to the root of the context, image or stage that has it. */
  path: string;
  change: 'added' | 'removed' | 'changed';
  /** Of a file that changed: in what. */
  aspects?: FileAspect[];
}

export type FileAspect =
  | 'content'
  | 'type'
  | 'mode'
  | 'owner'
  | 'link'
  | 'attributes'
  | 'device'
  | 'hard link';

/** A build check or another fault that does not stop the build. */
export interface WarningEvent {
  type: 'warning';
  /** Name of the check (`StageNameCasing` …) or of our own rule. */
  rule: string;
  message: string;
  detail?: string;
  url?: string;
  file?: string;
  range?: SourceRange;
}

/** Something about this machine or the store that the user should know. Each is said once a build. */
export interface NoticeEvent {
  type: 'notice';
  message: string;
}

export type EventSink = (event: BuildEvent) => void;

/** The result that ends a build's stream. */
export interface ImageResult {
  /** Digest of the manifest or index. */
  digest: Digest;
  configDigest?: Digest;
  /** Names it got. */
  names: string[];
}
