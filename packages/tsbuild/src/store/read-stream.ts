/** Files as streams of bytes. */
import { createReadStream } from 'node:fs';

/**
 * A file's bytes. It is opened when it is first read: the error of a stream that nobody reads yet would end the process.
 */
export async function* readFileStream(path: string): AsyncGenerator<Buffer> {
  yield* createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>;
}
