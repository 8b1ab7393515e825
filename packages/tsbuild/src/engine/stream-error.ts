/** What the failure of a stream that a program gave is called. */
import { TsbuildError } from '@tsbuild/core';

const hint = "The stream's own error is the cause of this one.";

export function inputStreamError(cause: Error): TsbuildError {
  return new TsbuildError('TSB_CONTEXT_STREAM', `the stream to read failed: ${cause.message}`, {
    hint,
    cause,
  });
}

export function outputStreamError(cause: Error): TsbuildError {
  return new TsbuildError('TSB_STORE_OUTPUT', `cannot write to the stream of an output: ${cause.message}`, {
    hint,
    cause,
  });
}
