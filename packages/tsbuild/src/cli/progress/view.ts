/** The contract of the progress views. */
import type { BuildEvent } from '@tsbuild/core';

/** What ends a build's progress. */
export interface Outcome {
  /** Set when the build failed or was cancelled. */
  error?: unknown;
  /** Lines for the reader about what was made; they come after the steps. */
  summary?: readonly string[];
}

/** One build's view. Events come in the order of the stream; `finish` is called once, last, and leaves the output whole. */
export interface ProgressView {
  event(event: BuildEvent): void;
  finish(outcome: Outcome): void;
  /** Whether finish shows a failed step's output, so that the error's text need not repeat it. */
  readonly showsFailedOutput: boolean;
}
