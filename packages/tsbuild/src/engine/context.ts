/** What every operation gets beside its options. */
import type { EventSink } from '@tsbuild/core';

export interface OperationContext {
  signal: AbortSignal;
  emit: EventSink;
}
