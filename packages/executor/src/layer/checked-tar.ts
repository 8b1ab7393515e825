/** Lets a tar through and fails where it is damaged or cut off, for archives that come without a digest. */
import { ByteReader, truncated } from './byte-reader.js';
import { readTar } from './tar-reader.js';

/**
 * The same bytes, in order; the chunks must not be reused by their source.
 * @throws TsbuildError TSB_INTEGRITY_BAD_ARCHIVE
 */
export async function* checkedTar(
  tar: AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const seen: Uint8Array[] = [];
  const reader = new ByteReader(tar, signal, (chunk) => seen.push(chunk));
  try {
    for await (const { segments } of readTar(reader)) {
      yield* seen.splice(0);
      let left = segments.reduce((sum, { length }) => sum + length, 0);
      while (left > 0) {
        const part = await reader.some(left);
        if (part === undefined) throw truncated();
        left -= part.length;
        yield* seen.splice(0);
      }
    }
    while (await reader.some(Number.MAX_SAFE_INTEGER)) yield* seen.splice(0);
    yield* seen.splice(0);
  } finally {
    await reader.close();
  }
}
