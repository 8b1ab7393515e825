/**
 * How a call of the API reaches the code that does it. Inside a launched process (the CLI) that is this process.
 * For a library's caller, work that mounts, or that touches files of other ids, gets an engine process of its own;
 * the rest (reading and moving blobs) is done right here.
 */
import { statSync } from 'node:fs';
import { Readable, Writable } from 'node:stream';
import type { EventSink } from '@tsbuild/core';
import { abortable, cancelled } from '../engine/cancel.js';
import type { OperationContext } from '../engine/context.js';
import { childModule, operationsModule } from '../engine/locate.js';
import type { OperationName } from '../engine/protocol.js';
import type { operations } from '../engine/operations.js';
import { checkOptions } from './check-options.js';
import type { OutputSpec } from './types.js';

/** Options and result of each operation, from the one table that implements them. */
type Operations = typeof operations;
export type OptionsOf<Name extends OperationName> = Parameters<Operations[Name]>[0];
export type ResultOf<Name extends OperationName> = Awaited<ReturnType<Operations[Name]>>;

const needsEngine: ReadonlySet<OperationName> = new Set([
  'build',
  'explain',
  'run',
  'prune',
  'diskUsage',
  'fsck',
  'cacheRecords',
  'cacheRecord',
]);

/** Need one only to unpack a context, whose files can belong to anybody. */
const mayUnpack: ReadonlySet<OperationName> = new Set(['check', 'outline', 'targets']);

interface Shared {
  signal?: AbortSignal;
  onEvent?: EventSink;
}

export async function call<Name extends OperationName>(
  operation: Name,
  given: OptionsOf<Name> & Shared,
  listen?: EventSink,
): Promise<ResultOf<Name>> {
  // The command line has its own checks, in the words of its flags.
  const launched = process.env.TSBUILD_LAUNCHED === '1';
  if (!launched) checkOptions(operation, given);
  const { signal, onEvent, ...options } = given;
  if (signal?.aborted) throw cancelled(signal);
  const emit: EventSink = (event) => {
    listen?.(event);
    onEvent?.(event);
  };
  const separate =
    needsEngine.has(operation) ||
    (mayUnpack.has(operation) && isToUnpack((options as { context?: unknown }).context));
  if (launched || !separate) {
    return (await callHere(operation, options, signal, emit)) as ResultOf<Name>;
  }
  const { CallStreams, callEngine } = (await import(childModule())) as typeof import('../engine/child.js');
  const streams = new CallStreams();
  const plain = detachOutputs(detachInputs(options, streams), streams);
  const inheritStdio = operation === 'run';
  return (await callEngine({
    operation,
    options: plain,
    streams,
    inheritStdio,
    signal,
    onEvent: emit,
  })) as ResultOf<Name>;
}

function isToUnpack(context: unknown): boolean {
  if (context === undefined) return false;
  try {
    return !(typeof context === 'string' && statSync(context).isDirectory());
  } catch {
    // The engine says what is wrong with it.
    return true;
  }
}

async function callHere(
  name: OperationName,
  options: object,
  signal: AbortSignal = new AbortController().signal,
  emit: EventSink,
) {
  const module = (await import(operationsModule())) as { operations: Operations };
  const operation = module.operations[name] as (
    options: object,
    context: OperationContext,
  ) => Promise<unknown>;
  let thrown: { error: unknown } | undefined;
  const guarded: EventSink = (event) => {
    try {
      emit(event);
    } catch (error) {
      thrown ??= { error };
    }
  };
  const value = await abortable(signal, () => operation(options, { signal, emit: guarded }));
  if (thrown) throw thrown.error;
  return value;
}

type Streams = InstanceType<typeof import('../engine/child.js').CallStreams>;

/** `-` and streams to read, wherever the options have them, become pipes of the engine. */
function detachInputs(options: Record<string, unknown>, streams: Streams): Record<string, unknown> {
  const { context } = options;
  if (context === '-') return { ...options, context: streams.input(process.stdin) };
  return context instanceof Readable ? { ...options, context: streams.input(context) } : options;
}

function detachOutputs(options: Record<string, unknown>, streams: Streams): Record<string, unknown> {
  if (!Array.isArray(options.outputs)) return options;
  const outputs = (options.outputs as OutputSpec[]).map((output) => {
    if (!('dest' in output) || output.type === 'local') return output;
    if (output.dest === '-') return { ...output, dest: streams.output(process.stdout, false) };
    return output.dest instanceof Writable ? { ...output, dest: streams.output(output.dest, true) } : output;
  });
  return { ...options, outputs };
}
