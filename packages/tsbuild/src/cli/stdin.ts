/** Standard input as text, or as an archive. */
import type { Readable } from 'node:stream';
import { TsbuildError } from '@tsbuild/core';
import type { Io } from './io.js';

/** No Dockerfile or password is longer; bytes. */
const limit = 16 * 2 ** 20;

/** Everything up to the end of the stream. Ends early, with the signal's reason, when it is aborted. */
export async function readAll(stream: Readable, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  const stop = () => stream.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const chunk of stream) {
      const bytes = Buffer.from(chunk as Uint8Array);
      size += bytes.length;
      if (size > limit) {
        throw new TsbuildError('TSB_USAGE_INPUT_TOO_LONG', 'standard input has more than 16 MiB of text', {
          hint: 'A tar archive is given as context: tsbuild build - < context.tar',
        });
      }
      chunks.push(bytes);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
  signal.throwIfAborted();
  return Buffer.concat(chunks).toString('utf8');
}

/** A file's name, or standard input for `-`. @throws TSB_USAGE_STDIN_IS_TERMINAL */
export function archiveSource(file: string, io: Pick<Io, 'stdin'>): string | Readable {
  if (file !== '-') return file;
  if (io.stdin.isTTY) {
    throw new TsbuildError(
      'TSB_USAGE_STDIN_IS_TERMINAL',
      'an archive is to come from standard input, which is a terminal',
      {
        hint: 'Pipe an archive in, or name a file.',
      },
    );
  }
  return io.stdin;
}
