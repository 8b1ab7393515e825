/** What cannot be saved or restored is told and passed over: a cache is never a reason for a build to fail. */
import type { EventSink } from '@tsbuild/core';

export function warn(emit: EventSink, message: string): void {
  emit({ type: 'warning', rule: 'CacheMount', message });
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
