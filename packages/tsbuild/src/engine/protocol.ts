/**
 * What a library process and its engine process say to each other, over Node's IPC channel with structured
 * cloning ('advanced'): each message is one of these types. Streams do not fit in messages: they are pipes the
 * child inherits, and a StreamRef in the options names the descriptor.
 *
 *     library                         engine
 *       call {operation, options}  →
 *                                  ←  event …
 *       abort                      →                       (the engine ends what runs, then answers)
 *                                  ←  result | error       (and exits)
 *
 * When the channel closes before the answer, the library is gone: the engine aborts and exits.
 */
import type { BuildEvent, ErrorCode, SourceLocation } from '@tsbuild/core';
import { TsbuildError } from '@tsbuild/core';

export type OperationName =
  | 'build'
  | 'cacheRecord'
  | 'cacheRecords'
  | 'check'
  | 'diskUsage'
  | 'explain'
  | 'fsck'
  | 'history'
  | 'images'
  | 'importImage'
  | 'inspect'
  | 'load'
  | 'login'
  | 'logout'
  | 'outline'
  | 'prune'
  | 'pull'
  | 'push'
  | 'remove'
  | 'run'
  | 'save'
  | 'tag'
  | 'targets';

export interface StreamRef {
  fd: number;
}

export type ToEngine =
  | { type: 'call'; operation: OperationName; options: Record<string, unknown> }
  | { type: 'abort' };

export type FromEngine =
  | { type: 'event'; event: BuildEvent }
  | { type: 'result'; value: unknown }
  | { type: 'error'; error: SerialError };

/** An error as plain data, with all its facts and its causes. */
export interface SerialError {
  /** Set for a TsbuildError; without it the error is a bug. */
  code?: ErrorCode;
  name: string;
  message: string;
  stack?: string;
  hint?: string;
  source?: SourceLocation;
  stage?: string;
  platform?: string;
  outputTail?: string;
  retryable?: boolean;
  commandExitCode?: number;
  cause?: SerialError;
}

const facts = ['hint', 'source', 'stage', 'platform', 'outputTail', 'retryable', 'commandExitCode'] as const;

/** Causes beyond this depth are dropped, so that a cycle ends. */
const deepestCause = 8;

export function serializeError(error: unknown, depth = 0): SerialError {
  if (!(error instanceof Error) && !TsbuildError.is(error)) return { name: 'Error', message: String(error) };
  const serial: SerialError = { name: error.name, message: error.message };
  if (error.stack !== undefined) serial.stack = error.stack;
  if (TsbuildError.is(error)) {
    serial.code = error.code;
    for (const fact of facts) if (error[fact] !== undefined) Object.assign(serial, { [fact]: error[fact] });
  }
  if (error.cause !== undefined && depth < deepestCause)
    serial.cause = serializeError(error.cause, depth + 1);
  return serial;
}

export function deserializeError(serial: SerialError): Error {
  const cause = serial.cause && deserializeError(serial.cause);
  if (serial.code !== undefined) {
    const error = new TsbuildError(serial.code, serial.message, { ...serial, cause });
    if (serial.stack !== undefined) error.stack = serial.stack;
    return error;
  }
  const error = new Error(serial.message, cause && { cause });
  error.name = serial.name;
  if (serial.stack !== undefined) error.stack = serial.stack;
  return error;
}
