/** Zeros: what the holes of sparse files are read as, and what makes holes when it is not written. */

/** Not to be written to. */
export const zeros = Buffer.alloc(1 << 20);

/** Whether the bytes are zeros alone, and enough of them to make a hole. */
export function isHole(bytes: Buffer): boolean {
  if (bytes.length < 4096 || bytes[0] !== 0) return false;
  for (let at = 0; at < bytes.length; at += zeros.length) {
    const part = bytes.subarray(at, at + zeros.length);
    if (!part.equals(zeros.subarray(0, part.length))) return false;
  }
  return true;
}
