/** One meaning for everything that an abort makes throw. */
import { TsbuildError } from '@tsbuild/core';

export function cancelled(signal: AbortSignal): TsbuildError {
  return new TsbuildError('TSB_CANCELLED_ABORTED', 'cancelled', { cause: signal.reason as unknown });
}

/** Runs work; once the signal is aborted, whatever it throws is the abort and nothing else. */
export async function abortable<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  if (signal.aborted) throw cancelled(signal);
  try {
    return await work();
  } catch (error) {
    if (signal.aborted && !(TsbuildError.is(error) && error.code.startsWith('TSB_CANCELLED_')))
      throw cancelled(signal);
    throw error;
  }
}
