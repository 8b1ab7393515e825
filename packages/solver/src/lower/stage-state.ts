/** What a stage is while its instructions are lowered one after another. */
import type { ContainerConfig, ImageConfig, Platform } from '@tsbuild/core';
import type { VertexId } from '../ops.js';
import type { PlannedHistory } from '../plan.js';

/** An ARG that was declared; without a value it is known but not set. */
export interface DeclaredArg {
  name: string;
  value?: string;
}

/** A stage's own: instructions change its lists and maps in place, since thousands of them would copy them thousands of times. */
export interface StageState {
  /** Position among the stages. */
  readonly index: number;
  /** What error messages and progress call it: the name, or `stage-N`. */
  readonly label: string;
  readonly platform: Platform;
  /** --no-cache applies to its RUN, COPY and ADD. */
  readonly ignoreCache: boolean;
  /** Steps that make layers, for `[label 2/5]`; counted up as they are lowered. */
  readonly steps: { done: number; total: number };

  root: VertexId;
  /** ENV and set ARGs. */
  readonly env: Map<string, string>;
  /** In order of declaration, parents' first. */
  readonly args: DeclaredArg[];
  /** Absolute: where relative paths start and processes run. */
  cwd: string;
  config: ContainerConfig;
  /** Where each name stands in config.Env. */
  readonly envAt: Map<string, number>;
  author?: string;
  /** Where the files at the bottom come from, if that is a folder: BuildKit's history entry for their layer says so. */
  origin?: string;
  /** Config of the image at the bottom; undefined for scratch. */
  base?: ImageConfig;
  /** What the image config says of platform. */
  imagePlatform: Platform;
  history: PlannedHistory[];
  /** CMD was written in this stage: ENTRYPOINT keeps it. */
  cmdSet: boolean;
}
