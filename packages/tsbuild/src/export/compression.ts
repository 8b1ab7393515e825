/** Layers' streams in and out of their compression, on the registry package's codecs. */
import { type ByteStream, compress, decompress } from '@tsbuild/registry';
import type { Compression } from '../api/types.js';

export function compressStream(
  stream: ByteStream,
  { compression, level }: { compression: Compression; level?: number | undefined },
  signal: AbortSignal,
): ByteStream {
  return compress(abortable(stream, signal), { compression, ...(level === undefined ? {} : { level }) });
}

/** gzip, zstd or plain, told by the first bytes. */
export function decompressStream(stream: ByteStream): ByteStream {
  return decompress(stream);
}

async function* abortable(stream: ByteStream, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) {
    signal.throwIfAborted();
    yield chunk;
  }
}
