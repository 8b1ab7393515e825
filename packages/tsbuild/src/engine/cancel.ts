/** One meaning for everything that an abort makes throw. */
import { storeFull, TsbuildError } from '@tsbuild/core';

/** A reason that says already what cancelled (Ctrl-C, say) is the error. */
export function cancelled(signal: AbortSignal): TsbuildError {
  if (isCancellation(signal.reason)) return signal.reason;
  return new TsbuildError('TSB_CANCELLED_ABORTED', 'cancelled', { cause: signal.reason as unknown });
}

/** Runs work; once the signal is aborted, whatever it throws is the abort and nothing else. */
export async function abortable<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  if (signal.aborted) throw cancelled(signal);
  try {
    return await work();
  } catch (error) {
    // A full disk can be met anywhere; the system call mostly names the file.
    throw signal.aborted ? cancelled(signal) : (storeFull(error, 'the store') ?? error);
  }
}

export function isCancellation(error: unknown): error is TsbuildError {
  return TsbuildError.is(error) && error.code.startsWith('TSB_CANCELLED_');
}
