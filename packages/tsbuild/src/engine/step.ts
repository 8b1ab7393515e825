/** Steps of the engine's own, beside the graph's: loading, resolving, exporting. They show like any vertex. */
import { type EventSink, TsbuildError } from '@tsbuild/core';

export interface OwnStep {
  /** Unique in the build. */
  id: string;
  name: string;
  platform?: string;
  /** Once it is aborted, the work's failure is a cancellation, whatever it throws. */
  signal?: AbortSignal;
}

/** Runs the work as a step of that name; its events tell how it went. */
export async function withStep<T>(
  emit: EventSink,
  step: OwnStep,
  work: (id: string) => Promise<T>,
): Promise<T> {
  const { id, name, platform } = step;
  emit({ type: 'vertex', id, name, inputs: [], ...(platform === undefined ? {} : { platform }) });
  emit({ type: 'started', id, at: Date.now() });
  try {
    const value = await work(id);
    emit({ type: 'completed', id, at: Date.now(), cached: false });
    return value;
  } catch (error) {
    const canceled =
      step.signal?.aborted === true || (TsbuildError.is(error) && error.code.startsWith('TSB_CANCELLED_'));
    const message = error instanceof Error ? error.message : String(error);
    emit({
      type: 'completed',
      id,
      at: Date.now(),
      cached: false,
      error: message,
      ...(canceled ? { canceled } : {}),
    });
    throw error;
  }
}
