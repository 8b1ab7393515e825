/** What planning takes and gives: a parsed Dockerfile and the build's options in, a graph and an image config out. */
import type {
  ContainerConfig,
  HistoryEntry,
  ImageConfig,
  PatternMatcher,
  Platform,
  SourceRange,
} from '@tsbuild/core';
import type { Vertex, VertexId } from './ops.js';

export interface PlanOptions {
  /** Stage to build; the last one by default. */
  target?: string;
  buildArgs: Readonly<Record<string, string>>;
  /** --label: merged last, without history. */
  labels: Readonly<Record<string, string>>;
  /** Platform to build for. */
  platform: Platform;
  /** True if the user named a platform: then the image config gets it whatever the base says. */
  platformExplicit: boolean;
  buildPlatform: Platform;
  /** True: all stages; a list: the named stages (any case). */
  noCache: boolean | readonly string[];
  /** --network: what `default` means for RUN. */
  network?: 'default' | 'none' | 'host';
  /** --allow: network.host, security.insecure, device. */
  entitlements: readonly string[];
  extraHosts: readonly { name: string; address: string }[];
  ulimits: readonly { name: string; soft: number; hard: number }[];
  shmSize?: number;
  cgroupParent?: string;
  /** Names given by --build-context. */
  namedContexts: readonly string[];
  /** Whether steps are shown with their platform: where several are built. */
  showPlatform?: boolean;
  /** The context's ignore file, for the check of what COPY names. */
  ignore?: PatternMatcher;
  signal: AbortSignal;
}

export interface PlanWarning {
  rule: string;
  message: string;
  /** What the rule asks for. */
  detail?: string;
  url?: string;
  range?: SourceRange;
}

/** One entry of the image's history and the vertex whose layer it describes. */
export interface PlannedHistory {
  entry: HistoryEntry;
  /** Unset for entries without a layer. */
  vertex?: VertexId;
}

export interface BuildPlan {
  /** Platform that was asked for. */
  platform: Platform;
  /** What the image config says: the base image's platform, or the one the user named. */
  imagePlatform: Platform;
  /** The Dockerfile, so that a failing step's error can show its lines. */
  dockerfile: { filename: string; text: string };
  /** All vertices of the target's closure, inputs before users. */
  vertices: ReadonlyMap<VertexId, Vertex>;
  /** The target's root file system. */
  result: VertexId;
  /** Config of the base image, with its history and diff ids; undefined for scratch. */
  base?: ImageConfig;
  /** The target's config, complete but for times, history and diff ids. */
  config: ContainerConfig;
  author?: string;
  /** What made the layer that no instruction made: a folder as base. */
  origin?: string;
  /** New entries, after the base's. */
  history: PlannedHistory[];
  /** SOURCE_DATE_EPOCH, seconds, where given. */
  sourceDateEpoch?: number;
  /** Build checks of the stages that are built, and --build-args that nothing uses. */
  warnings: PlanWarning[];
}
