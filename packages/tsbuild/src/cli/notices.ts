/** Notices of calls that show no progress. */
import type { EventSink } from '@tsbuild/core';
import type { Io } from './io.js';

export function noticesTo(io: Io): EventSink {
  return (event) => {
    if (event.type === 'notice') io.stderr.write(`note: ${event.message}\n`);
  };
}
