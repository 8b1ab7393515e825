/** The process as the commands see it; tests hand in another one. */
import type { Readable } from 'node:stream';

export interface Output {
  write(text: string | Uint8Array): boolean;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  on?(event: 'resize', listener: () => void): unknown;
  off?(event: 'resize', listener: () => void): unknown;
}

export interface Io {
  stdin: Readable & { isTTY?: boolean | undefined };
  stdout: Output;
  stderr: Output;
  env: NodeJS.ProcessEnv;
  cwd: string;
  /** Aborted by the first SIGINT or SIGTERM. */
  signal: AbortSignal;
}

/** Colours are wanted: a terminal, no NO_COLOR (https://no-color.org), not a dumb one. */
export function wantsColor(output: Output, env: NodeJS.ProcessEnv): boolean {
  return output.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
}

/** Stack traces are asked for by the environment. */
export function wantsDebug(env: NodeJS.ProcessEnv): boolean {
  return !['', '0', 'false'].includes(env['TSBUILD_DEBUG'] ?? env['DEBUG'] ?? '');
}
