/**
 * The one error type that reaches users, and the families of its codes.
 *
 * Everything a user can cause or has to act on is a TsbuildError with a stable code. Anything else that is
 * thrown is a bug of ours and is printed as one.
 */
import type { SourceLocation } from './source.js';

/** The first word of a code decides the exit status (see exitCodeOf). */
export type ErrorFamily =
  | 'PARSE'
  | 'LINT'
  | 'GRAPH'
  | 'CONTEXT'
  | 'RESOLVE'
  | 'REGISTRY'
  | 'AUTH'
  | 'INTEGRITY'
  | 'EXEC'
  | 'HOST'
  | 'STORE'
  | 'CACHE'
  | 'USAGE'
  | 'CANCELLED';

/** `TSB_<FAMILY>_<WHAT>`, for example `TSB_PARSE_UNKNOWN_FLAG`; each is listed in docs/errors.md. */
export type ErrorCode = `TSB_${ErrorFamily}_${string}`;

/** Facts that layers add to an error as it travels up; each layer adds only what it knows. */
export interface ErrorFacts {
  /** What the user can do about it: one sentence, imperative. */
  hint?: string | undefined;
  cause?: unknown;
  /** Where in which Dockerfile (or other user file) the fault is. */
  source?: SourceLocation | undefined;
  /** Name or index of the build stage. */
  stage?: string | undefined;
  /** Platform being built, `os/arch[/variant]`. */
  platform?: string | undefined;
  /** The failing step's last lines of output. */
  outputTail?: string | undefined;
  /** Whether trying the same again may succeed (registry errors). */
  retryable?: boolean | undefined;
  /** Exit status of the user's command, for EXEC errors. */
  commandExitCode?: number | undefined;
}

const brand = Symbol.for('tsbuild.error');

export class TsbuildError extends Error {
  readonly [brand] = true;
  override readonly name = 'TsbuildError';
  readonly code: ErrorCode;
  hint?: string | undefined;
  source?: SourceLocation | undefined;
  stage?: string | undefined;
  platform?: string | undefined;
  outputTail?: string | undefined;
  retryable: boolean;
  commandExitCode?: number | undefined;

  constructor(code: ErrorCode, message: string, facts: ErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.hint = facts.hint;
    this.source = facts.source;
    this.stage = facts.stage;
    this.platform = facts.platform;
    this.outputTail = facts.outputTail;
    this.retryable = facts.retryable ?? false;
    this.commandExitCode = facts.commandExitCode;
  }

  /** True for errors of any copy of this module (the CLI bundle and the library bundle hold one each). */
  static is(value: unknown): value is TsbuildError {
    return typeof value === 'object' && value !== null && brand in value;
  }

  /** So that `instanceof` holds too, whichever copy threw; a class that extends this one has instances of its own. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: it can be the class that extends this one
    if (this === TsbuildError) return TsbuildError.is(value);
    // biome-ignore lint/complexity/noThisInStatic: as above
    return Function.prototype[Symbol.hasInstance].call(this, value);
  }

  /** Adds the facts that are not set yet, and returns the error itself. */
  with(facts: Omit<ErrorFacts, 'cause'>): this {
    this.hint ??= facts.hint;
    this.source ??= facts.source;
    this.stage ??= facts.stage;
    this.platform ??= facts.platform;
    this.outputTail ??= facts.outputTail;
    this.commandExitCode ??= facts.commandExitCode;
    return this;
  }
}

/** Exit status of the process for an error: 2 usage, 125 host, 130 cancelled, else 1. */
export function exitCodeOf(error: unknown): number {
  if (!TsbuildError.is(error)) return 1;
  if (error.code.startsWith('TSB_USAGE_')) return 2;
  if (error.code.startsWith('TSB_HOST_')) return 125;
  if (error.code.startsWith('TSB_CANCELLED_')) return 130;
  return 1;
}
