/** Runs a call of the library under a progress view, and ends the view on every way out. */
import { type EventSink, exitCodeOf } from '@tsbuild/core';
import { type Io, wantsColor, wantsDebug } from './io.js';
import type { Args } from './parse.js';
import { createView } from './progress/create.js';
import { renderError } from './render-error.js';

export interface Watched {
  /** Lines for the reader that end the progress. */
  summary?: readonly string[];
  /** Text for standard output. */
  stdout?: string;
}

/** Returns the exit status; a failure has been told when it returns. */
export async function withProgress(
  args: Args,
  io: Io,
  work: (onEvent: EventSink, quiet: boolean) => Promise<Watched>,
): Promise<number> {
  const mode = args.bool('quiet') ? 'quiet' : (args.string('progress') ?? 'auto');
  const quiet = mode === 'quiet' || mode === 'none';
  const view = createView(mode, io);
  let result: Watched;
  try {
    result = await work((event) => view.event(event), quiet);
  } catch (error) {
    view.finish({ error });
    if (mode !== 'rawjson') {
      io.stderr.write(
        renderError(error, {
          color: wantsColor(io.stderr, io.env),
          debug: args.bool('debug') || wantsDebug(io.env),
          outputShown: view.showsFailedOutput,
        }),
      );
    }
    return exitCodeOf(error);
  }
  view.finish({ ...(quiet || mode === 'rawjson' ? {} : { summary: result.summary ?? [] }) });
  if (result.stdout !== undefined) io.stdout.write(result.stdout);
  return 0;
}
