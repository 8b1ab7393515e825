/** Archives of images as tar streams: the same entries give the same bytes (order as given, times 0, owner 0). */
import type { ByteStream } from '../api.js';

export interface TarFile {
  /** At most 100 bytes, ASCII. */
  path: string;
  /** Bytes. */
  size: number;
  /** Exactly `size` bytes; none for a directory. */
  body?: ByteStream | Uint8Array;
  type: 'File' | 'Directory';
}

const blockSize = 512;

/** Ends with two blocks of zeros and padding to a record of 10 KiB, as tar(1) writes it. */
export async function* writeTar(files: Iterable<TarFile> | AsyncIterable<TarFile>): ByteStream {
  const { Header } = await import('tar');
  let written = 0;
  for await (const file of files) {
    const isDirectory = file.type === 'Directory';
    const header = new Header({
      path: isDirectory ? `${file.path}/` : file.path,
      mode: isDirectory ? 0o755 : 0o644,
      uid: 0,
      gid: 0,
      size: file.size,
      mtime: new Date(0),
      type: file.type,
    });
    const block = Buffer.alloc(blockSize);
    // True where the size needs a PAX record for readers that know no base-256: all of ours know it.
    header.encode(block);
    yield block;
    let size = 0;
    for await (const chunk of chunksOf(file.body)) {
      size += chunk.length;
      yield chunk;
    }
    if (size !== file.size) throw new RangeError(`${file.path} has ${size} bytes, not ${file.size}`);
    const padding = (blockSize - (size % blockSize)) % blockSize;
    if (padding > 0) yield Buffer.alloc(padding);
    written += blockSize + size + padding;
  }
  const record = 20 * blockSize;
  const end = 2 * blockSize;
  yield Buffer.alloc(end + ((record - ((written + end) % record)) % record));
}

function chunksOf(body: TarFile['body']): AsyncIterable<Uint8Array> | Uint8Array[] {
  if (body === undefined) return [];
  return body instanceof Uint8Array ? [body] : body;
}
