/** The library's side of an engine process: starts it, carries streams and messages, and sees it end. */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { type EventSink, TsbuildError } from '@tsbuild/core';
import { helperPath } from '@tsbuild/native';
import { cancelled, isCancellation } from './cancel.js';
import { engineProgram } from './locate.js';
import { inputStreamError, outputStreamError } from './stream-error.js';
import {
  deserializeError,
  type FromEngine,
  type OperationName,
  type StreamRef,
  type ToEngine,
} from './protocol.js';

/** How long an aborted engine may take to end its steps and tidy up, milliseconds. */
const abortGrace = 5_000;

/** First descriptor of the streams; 3 is the channel. */
const firstStream = 4;

/** Bytes of the engine's standard error that are kept for the case that it crashes. */
const stderrKept = 16_384;

export interface EngineCall {
  operation: OperationName;
  /** Plain data but for the streams that `streams` took out. */
  options: Record<string, unknown>;
  streams: CallStreams;
  /** Give the engine this process's standard streams (`run`). */
  inheritStdio: boolean;
  signal?: AbortSignal | undefined;
  onEvent: EventSink;
}

/** Streams of a call, by the descriptor the engine finds each at. */
export class CallStreams {
  readonly inputs: Readable[] = [];
  readonly outputs: { stream: Writable; end: boolean }[] = [];

  /** All inputs must be added before the first output. */
  input(stream: Readable): StreamRef {
    return { fd: firstStream + this.inputs.push(stream) - 1 };
  }

  output(stream: Writable, end: boolean): StreamRef {
    return { fd: firstStream + this.inputs.length + this.outputs.push({ stream, end }) - 1 };
  }
}

export async function callEngine(call: EngineCall): Promise<unknown> {
  const base = call.inheritStdio ? 'inherit' : 'ignore';
  const streamCount = call.streams.inputs.length + call.streams.outputs.length;
  const stdio: StdioOptions = [
    base,
    base,
    call.inheritStdio ? 'inherit' : 'pipe',
    'ipc',
    ...new Array<'pipe'>(streamCount).fill('pipe'),
  ];
  const child = spawn(helperPath, ['launch', '--', process.execPath, engineProgram()], {
    stdio,
    serialization: 'advanced',
    env: { ...process.env, TSBUILD_LAUNCHED: undefined },
  });
  const stderr = keepTail(child);
  const abort = () => abortEngine(child);
  const copies = connectStreams(child, call.streams, abort);
  call.signal?.addEventListener('abort', abort, { once: true });
  try {
    const value = await converse(child, call, stderr);
    await copies.finished();
    return value;
  } catch (error) {
    copies.destroy();
    // What the engine says about a pipe that broke off is only the consequence.
    throw call.signal?.aborted ? error : (copies.fault() ?? error);
  } finally {
    call.signal?.removeEventListener('abort', abort);
  }
}

function abortEngine(child: ChildProcess): void {
  if (child.exitCode !== null || child.signalCode !== null) return;
  if (child.connected) child.send({ type: 'abort' } satisfies ToEngine, () => {});
  const timer = setTimeout(() => child.kill('SIGKILL'), abortGrace);
  child.once('exit', () => clearTimeout(timer));
}

/** Sends the call and resolves with the answer once the engine has exited. */
function converse(child: ChildProcess, call: EngineCall, stderr: () => string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let answer: FromEngine | undefined;
    let thrown: { error: unknown } | undefined;
    let unsent: { error: unknown } | undefined;
    const tell: EventSink = (event) => {
      try {
        call.onEvent(event);
      } catch (error) {
        thrown ??= { error };
      }
    };
    child.on('message', (message: FromEngine) => {
      if (message.type === 'event') tell(message.event);
      else answer = message;
    });
    child.stderr?.on('data', noticesOf(tell));
    child.once('error', (error) => reject(startError(error)));
    child.once('close', (code, signal) => {
      if (unsent) reject(unsent.error);
      else if (answer?.type === 'error') reject(failure(deserializeError(answer.error), call.signal));
      else if (thrown) reject(thrown.error);
      else if (answer?.type === 'result') resolve(answer.value);
      else if (call.signal?.aborted) reject(cancelled(call.signal));
      else reject(endedError(code, signal, stderr()));
    });
    try {
      child.send(
        { type: 'call', operation: call.operation, options: call.options } satisfies ToEngine,
        () => {
          // A failing send means that the child has ended; 'close' reports it with the reason.
        },
      );
    } catch (error) {
      // What cannot be cloned. The engine would wait for its call for ever.
      unsent = { error };
      child.kill('SIGKILL');
    }
  });
}

/** The engine knows that it was told to stop, the signal knows why. */
function failure(error: Error, signal: AbortSignal | undefined): Error {
  return signal?.aborted && isCancellation(error) ? cancelled(signal) : error;
}

function startError(error: Error): TsbuildError {
  return new TsbuildError('TSB_HOST_HELPER', `cannot start the engine: ${error.message}`, {
    hint: 'The native part is missing or damaged; `npm rebuild @tsbuild/native` compiles it again (it needs a C compiler).',
    cause: error,
  });
}

/** The launcher says on its standard error why it could not start, and exits with 125. */
function endedError(code: number | null, signal: NodeJS.Signals | null, stderr: string): Error {
  const text = stderr.trim();
  if (code === 125) {
    return new TsbuildError(
      'TSB_HOST_LAUNCH',
      text.replaceAll(/^tsbuild: /gm, '') || 'the engine could not be started',
      {
        hint: '`tsbuild doctor` says what this machine lacks and how to get it.',
      },
    );
  }
  if (signal === 'SIGKILL') {
    return new TsbuildError('TSB_HOST_KILLED', 'the engine process was killed', {
      hint: 'If nobody did that on purpose, the machine ran out of memory: see the kernel log.',
    });
  }
  return new Error(
    `the engine ended without an answer (${signal ?? `status ${code}`})${text && `\n${text}`}`,
  );
}

/** What the launcher says of this machine before the engine starts stands on its standard error, a line each. */
function noticesOf(tell: EventSink): (text: string) => void {
  const prefix = 'tsbuild: ';
  let rest = '';
  return (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines)
      if (line.startsWith(prefix)) tell({ type: 'notice', message: line.slice(prefix.length) });
  };
}

function keepTail(child: ChildProcess): () => string {
  let tail = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    tail = (tail + text).slice(-stderrKept);
  });
  return () => tail;
}

/**
 * Couples the caller's streams with the engine's pipes.
 * @param broken called when one of the caller's streams fails: the engine must not take a part for the whole
 */
function connectStreams(child: ChildProcess, streams: CallStreams, broken: () => void) {
  const stop = new AbortController();
  const { signal } = stop;
  let fault: TsbuildError | undefined;
  const guard = async (copying: Promise<void>, describe: (error: Error) => TsbuildError) => {
    try {
      await copying;
    } catch (error) {
      if (signal.aborted) return;
      fault ??= describe(error as Error);
      broken();
    }
  };
  const copies = [
    ...streams.inputs.map((input, index) => {
      const pipe = child.stdio[firstStream + index] as Writable;
      return guard(feed(input, pipe, signal), inputStreamError);
    }),
    ...streams.outputs.map(({ stream }, index) => {
      const pipe = child.stdio[firstStream + streams.inputs.length + index] as Readable;
      return guard(pipeline(pipe, stream, { end: false, signal }), outputStreamError);
    }),
  ];
  const ours = streams.outputs.filter(({ end }) => end).map(({ stream }) => stream);
  return {
    /** The end of an output says that it is whole: only a call that succeeded gives it. */
    finished: async () => {
      await Promise.all(copies);
      await Promise.all(
        ours.map((stream) => {
          stream.end();
          return guard(finished(stream, { readable: false, signal }), outputStreamError);
        }),
      );
      if (fault) throw fault;
    },
    fault: () => fault,
    destroy: () => {
      stop.abort();
      for (const stream of ours) stream.destroy();
    },
  };
}

/**
 * Copies until the stream's end, and only that end closes the pipe: a stream that breaks off must not look complete.
 * The engine may need no more than the first bytes: a pipe that it closed is no fault of the stream.
 */
async function feed(input: Readable, pipe: Writable, stop: AbortSignal): Promise<void> {
  const unneeded = new AbortController();
  const drop = () => {
    unneeded.abort();
    input.destroy();
  };
  pipe.on('error', drop).once('close', drop);
  stop.addEventListener('abort', drop, { once: true });
  try {
    for await (const chunk of input) {
      if (!pipe.write(chunk)) await once(pipe, 'drain', { signal: unneeded.signal });
    }
    pipe.end();
  } catch (error) {
    if (!unneeded.signal.aborted) throw error;
  } finally {
    stop.removeEventListener('abort', drop);
  }
}
