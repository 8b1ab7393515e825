/** Errors of planning: what a user wrote that cannot be built. */
import { type ErrorCode, type SourceLocation, type SourceRange, TsbuildError } from '@tsbuild/core';
import type { Dockerfile } from '@tsbuild/parser';

/** @param what the end of the code `TSB_GRAPH_<what>` */
export function fault(what: string, message: string, hint: string): TsbuildError {
  const code: ErrorCode = `TSB_GRAPH_${what}`;
  return new TsbuildError(code, message, { hint });
}

export function locate(dockerfile: Dockerfile, range: SourceRange): SourceLocation {
  return { file: dockerfile.filename, range, text: dockerfile.text };
}

/** Runs work and adds the place to the error it throws. */
export function placed<T>(source: SourceLocation, stage: string | undefined, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (TsbuildError.is(error)) error.with({ source, stage });
    throw error;
  }
}
