/** The bytes of one blob, taken up again by Range where a connection breaks. */
import type { Descriptor } from '@tsbuild/core';
import type { ByteStream, TransferOptions } from '../api.js';
import { sizeMismatch } from '../content/verify.js';
import type { HttpAnswer } from '../http/client.js';
import { isTransient, pause, type RetryPolicy } from '../http/retry.js';
import { networkError } from './failures.js';
import { progressOf } from './progress.js';

export interface Download {
  descriptor: Descriptor;
  /** For messages. */
  what: string;
  retry: RetryPolicy;
  transfer: TransferOptions;
  /** Answers 200 from the start or 206 from `offset`. */
  open(offset: number): Promise<HttpAnswer & { url: URL }>;
}

/** Not verified but for its length; see `verified`. Tries are counted anew whenever bytes have come. */
export async function* download({ descriptor, what, retry, transfer, open }: Download): ByteStream {
  const { size, digest } = descriptor;
  const report = progressOf(transfer, digest, size);
  let offset = 0;
  report('downloading', 0);
  for (let attempt = 1; ; attempt += 1) {
    const answer = await open(offset);
    try {
      let skip = startOf(answer, offset, size, what);
      for await (const data of answer.body as AsyncIterable<Buffer>) {
        const chunk = data.subarray(Math.min(skip, data.length));
        skip -= data.length - chunk.length;
        if (chunk.length === 0) continue;
        if (offset + chunk.length > size) throw sizeMismatch(what, size, `more than ${size}`);
        offset += chunk.length;
        attempt = 1;
        yield chunk;
        report('downloading', offset);
      }
      if (offset === size) break;
      // No length was announced, or a proxy closed the connection in order.
      if (!(await pause(attempt, retry, transfer.signal))) throw sizeMismatch(what, size, offset);
    } catch (error) {
      transfer.signal.throwIfAborted();
      if (!isTransient(error) || !(await pause(attempt, retry, transfer.signal))) {
        throw networkError(
          { action: `pull ${what}`, registry: answer.url.host },
          answer.url,
          error,
          transfer.signal,
        );
      }
    } finally {
      answer.body.on('error', () => undefined).destroy();
    }
  }
  report('done', size);
}

/** How many bytes of the body are already here. */
function startOf(answer: HttpAnswer, offset: number, size: number, what: string): number {
  if (answer.status === 206) {
    const start = /^bytes (\d+)-/.exec(answer.headers['content-range'] ?? '')?.[1];
    return start === undefined || Number(start) > offset ? 0 : offset - Number(start);
  }
  const length = answer.headers['content-length'];
  if (length !== undefined && Number(length) !== size) throw sizeMismatch(what, size, length);
  return offset;
}
