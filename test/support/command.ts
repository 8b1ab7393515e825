/** Starts commands for the tests: bounded in time, with their whole output. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { bin } from './env.js';

export interface Outcome {
  /** Exit status; 128 + signal where a signal ended it is not told apart: see signal. */
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  seconds: number;
}

export interface CommandOptions extends SpawnOptions {
  input?: string | Uint8Array;
  /** Seconds after which the command is killed. */
  limit?: number;
  /** Called with the process once it runs. */
  started?(child: ChildProcess): void;
}

/** Runs to the end and never throws for a status other than 0. */
export function command(file: string, args: string[], options: CommandOptions = {}): Promise<Outcome> {
  const { input, limit = 600, started, ...spawnOptions } = options;
  return new Promise((resolve, reject) => {
    const begin = performance.now();
    const child = spawn(file, args, { ...spawnOptions, stdio: ['pipe', 'pipe', 'pipe'] });
    const timer = setTimeout(() => child.kill('SIGKILL'), limit * 1000);
    const chunks: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
    child.stdout?.on('data', (chunk: Buffer) => chunks.stdout.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => chunks.stderr.push(chunk));
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
    child.once('error', reject);
    child.once('close', (status, signal) => {
      clearTimeout(timer);
      const text = (stream: 'stdout' | 'stderr') => Buffer.concat(chunks[stream]).toString();
      const seconds = (performance.now() - begin) / 1000;
      resolve({ status, signal, stdout: text('stdout'), stderr: text('stderr'), seconds });
    });
    started?.(child);
  });
}

/** Runs a command that must succeed; the error shows everything it printed. */
export async function succeed(file: string, args: string[], options?: CommandOptions): Promise<Outcome> {
  const outcome = await command(file, args, options);
  if (outcome.status !== 0) {
    const ended = outcome.status ?? outcome.signal;
    throw new Error(`${[file, ...args].join(' ')} ended with ${ended}\n${outcome.stdout}${outcome.stderr}`);
  }
  return outcome;
}

/** A `tsbuild` bound to one store. */
export class Tsbuild {
  constructor(readonly root: string) {}

  /** Runs the command line; the store flag is added. */
  run(args: string[], options?: CommandOptions): Promise<Outcome> {
    return command(bin, this.arguments(args), options);
  }

  ok(args: string[], options?: CommandOptions): Promise<Outcome> {
    return succeed(bin, this.arguments(args), options);
  }

  private arguments([verb = 'build', ...rest]: string[]): string[] {
    return [verb, '--root', this.root, ...rest];
  }
}
