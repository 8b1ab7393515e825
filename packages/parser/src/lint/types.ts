/** What a build check is given and what it says. */
import type { PatternMatcher, SourceRange, TsbuildError } from '@tsbuild/core';
import type { Dockerfile } from '../ast.js';
import type { LintStage, LintVariables } from './walk.js';

/** One finding. */
export interface Lint {
  rule: string;
  message: string;
  /** What the rule asks for, whatever was found. */
  description: string;
  url?: string;
  range: SourceRange;
}

/** What is known of a base image; all of it optional, all of it only makes checks sharper. */
export interface BaseImageFacts {
  /** `NAME=value` of its config. */
  env?: readonly string[];
  /** SHELL of its config. */
  shell?: readonly string[];
  /** ONBUILD triggers of its config. */
  onbuild?: readonly string[];
  /** `os/arch[/variant]` of the image that was found. */
  platform?: string;
}

export interface CheckOptions {
  buildArgs?: Readonly<Record<string, string>>;
  /** `os/arch[/variant]`; linux/amd64 where nothing is said. */
  targetPlatform?: string;
  buildPlatform?: string;
  /** Name of the target stage, for TARGETSTAGE. */
  target?: string;
  /** Only these stages (those that are built); all by default. */
  stages?: ReadonlySet<number>;
  /** The context's ignore patterns. */
  ignore?: PatternMatcher;
  /** Facts about an image; without them no variable counts as undefined in a stage that is built on it. */
  baseImage?(reference: string, platform: string): BaseImageFacts | undefined;
  /** Told about words that cannot be expanded; the checks go on without them. */
  onError?(error: TsbuildError): void;
}

/** Everything rules look at. */
export interface LintContext {
  file: Dockerfile;
  options: CheckOptions;
  /** Values and names of the global scope. */
  globals: LintVariables;
  /** Global names with the defaults of the file alone, as if there were no build arguments. */
  defaults: LintVariables;
  stages: readonly LintStage[];
}

export interface Rule {
  name: string;
  description: string;
  url?: string;
  /** Off unless asked for. */
  experimental?: boolean;
  check(context: LintContext, report: (message: string, range: SourceRange) => void): void;
}

/** Address of the page of one of BuildKit's own rules. */
export function buildkitUrl(page: string): string {
  return `https://docs.docker.com/go/dockerfile/rule/${page}/`;
}
