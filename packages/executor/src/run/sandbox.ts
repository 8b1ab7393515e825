/** Starts the sandbox helper for one step, carries its streams, and turns its report into a result. */
import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { TsbuildError } from '@tsbuild/core';
import type { StepUsage } from '@tsbuild/core';
import { helperPath } from '@tsbuild/native';
import { decodeRecords, encodeSpec, type SandboxSpec } from './spec.js';

export interface SandboxOptions {
  signal: AbortSignal;
  /** `none`: an empty pipe. `inherit`: this process's own streams, passed on as they are. Default none. */
  stdin?: 'none' | 'inherit';
  /** Where it is unset, the step writes straight to this process's standard output and error. */
  onOutput?(stream: 'stdout' | 'stderr', chunk: Buffer): void;
}

export interface SandboxResult {
  /** Exit status of the command; 128 + number where a signal ended it, as shells have it. */
  exitCode: number;
  /** Number of the signal that ended the command. */
  signal?: number;
  /** Set where the command never started: docker's words for it. exitCode is docker's too (1 or 255). */
  startError?: string;
  usage: StepUsage;
}

/** Milliseconds after which a supervisor that does not end on SIGTERM is killed; its grace for the step is 500. */
const forceAfter = 2000;

/**
 * Runs one step and waits until everything that it started is gone. An abort ends it within a second.
 * @throws TsbuildError TSB_HOST_SANDBOX where this machine refuses something, TSB_EXEC_MOUNT where a mount or an id
 *   of the step cannot be had, TSB_CANCELLED_STEP after an abort, TSB_EXEC_KILLED where something killed the helper
 */
export async function runInSandbox(spec: SandboxSpec, options: SandboxOptions): Promise<SandboxResult> {
  if (options.signal.aborted) throw cancelled();
  const { data, fds } = encodeSpec(spec, {
    parentPid: process.pid,
    userns: process.env['TSBUILD_USERNS'] === '1',
    singleId: process.env['TSBUILD_SINGLE_ID'] === '1',
  });
  const output = options.onOutput ? 'pipe' : 'inherit';
  const stdio: StdioOptions = [
    options.stdin === 'inherit' ? 'inherit' : 'ignore',
    output,
    output,
    'pipe',
    'pipe',
    ...fds,
  ];
  const child = spawn(helperPath, ['sandbox'], { stdio, env: {} });
  const ended = waitForEnd(child);
  const report = collect(child.stdio[4] as Readable);
  child.stdout?.on('data', (chunk: Buffer) => options.onOutput?.('stdout', chunk));
  child.stderr?.on('data', (chunk: Buffer) => options.onOutput?.('stderr', chunk));
  sendSpec(child.stdio[3] as Writable, data);

  let force: NodeJS.Timeout | undefined;
  const abort = () => {
    child.kill('SIGTERM');
    force = setTimeout(() => child.kill('SIGKILL'), forceAfter);
  };
  options.signal.addEventListener('abort', abort, { once: true });
  try {
    const how = await ended;
    if (options.signal.aborted) throw cancelled();
    return readReport(await report, how);
  } finally {
    clearTimeout(force);
    options.signal.removeEventListener('abort', abort);
  }
}

function cancelled(): TsbuildError {
  return new TsbuildError('TSB_CANCELLED_STEP', 'the step was cancelled');
}

function waitForEnd(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('error', (cause) =>
      reject(
        new TsbuildError('TSB_HOST_SANDBOX', `cannot start ${helperPath}: ${cause.message}`, {
          cause,
          hint: 'Build the native parts with: npm run build:native',
        }),
      ),
    );
    child.once('close', (code, signal) => resolve(signal ?? `status ${code}`));
  });
}

async function collect(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve) => {
    stream.once('close', resolve);
    stream.once('error', resolve);
  });
  return Buffer.concat(chunks);
}

function sendSpec(stream: Writable, data: Buffer): void {
  // The helper may end before it has read everything; why, its report says.
  stream.on('error', () => {});
  stream.end(data);
}

function readReport(data: Buffer, how: string): SandboxResult {
  const values = new Map(decodeRecords(data));
  const usage = {
    userSeconds: Number(values.get('user') ?? 0),
    systemSeconds: Number(values.get('system') ?? 0),
    maxRssBytes: Number(values.get('maxrss') ?? 0),
  };
  const kind = values.get('error.kind');
  if (kind !== undefined) {
    const text = values.get('error.text') ?? 'unknown error';
    if (kind === 'exec')
      return { exitCode: Number(values.get('error.status') ?? 1), startError: text, usage };
    throw setupError(kind, text);
  }
  const signal = values.get('signal');
  if (signal !== undefined) return { exitCode: 128 + Number(signal), signal: Number(signal), usage };
  const exit = values.get('exit');
  if (exit !== undefined) return { exitCode: Number(exit), usage };
  throw new TsbuildError('TSB_EXEC_KILLED', `the step's processes were killed from outside (${how})`, {
    hint: 'The machine may be out of memory: see dmesg, and build with fewer steps at once.',
  });
}

function setupError(kind: string, text: string): Error {
  if (kind === 'mount') return new TsbuildError('TSB_EXEC_MOUNT', text);
  if (kind === 'host') {
    return new TsbuildError('TSB_HOST_SANDBOX', text, {
      hint: 'Run tsbuild doctor to see what this machine lacks.',
    });
  }
  return new Error(`sandbox helper: ${text}`);
}
