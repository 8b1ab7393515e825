/** Questions on a terminal. */
import { StringDecoder } from 'node:string_decoder';
import { TsbuildError } from '@tsbuild/core';
import type { Io } from './io.js';

interface RawInput {
  isTTY?: boolean | undefined;
  setRawMode?(on: boolean): unknown;
}

/** Asks on standard error and reads one line from the terminal; `hidden` shows nothing of it. */
export async function ask(io: Io, question: string, hidden: boolean): Promise<string> {
  const input = io.stdin as typeof io.stdin & RawInput;
  io.stderr.write(question);
  input.setRawMode?.(true);
  const decoder = new StringDecoder('utf8');
  let text: string[] = [];
  try {
    return await new Promise<string>((resolve, reject) => {
      const end = (settle: () => void) => {
        input.off('data', onData);
        io.signal.removeEventListener('abort', onAbort);
        settle();
      };
      const onAbort = () => end(() => reject(io.signal.reason as Error));
      const onData = (chunk: Buffer) => {
        for (const character of decoder.write(chunk)) {
          if (character === '\r' || character === '\n') return end(() => resolve(text.join('')));
          if (character === '\x03' || character === '\x04') {
            return end(() => reject(new TsbuildError('TSB_CANCELLED_PROMPT', 'nothing was entered')));
          }
          if (character === '\x7f' || character === '\b') {
            if (text.pop() !== undefined && !hidden) io.stderr.write('\b \b');
          } else if (character === '\x15') {
            if (!hidden) io.stderr.write('\b \b'.repeat(text.length));
            text = [];
          } else if (character >= ' ') {
            text.push(character);
            if (!hidden) io.stderr.write(character);
          }
        }
      };
      input.on('data', onData);
      io.signal.addEventListener('abort', onAbort, { once: true });
      input.resume();
    });
  } finally {
    input.setRawMode?.(false);
    input.pause();
    io.stderr.write('\n');
  }
}
