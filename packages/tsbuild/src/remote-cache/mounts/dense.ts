/** Whether compressing pays: most of what package managers keep is compressed already. */

const sampleBytes = 4096;

/**
 * True for data whose bytes are spread as evenly as those of compressed or encrypted data: then the squares of their
 * counts sum up to little more than they do for random bytes (n + n²/256), where text has several times that.
 */
export function isDense(data: Buffer): boolean {
  // Headers of archives are not what the rest is.
  const start = Math.max(0, Math.min(1024, data.length - sampleBytes));
  const sample = data.subarray(start, start + sampleBytes);
  if (sample.length < 512) return false;
  const counts = new Uint32Array(256);
  for (const byte of sample) counts[byte] = (counts[byte] ?? 0) + 1;
  let squares = 0;
  for (const count of counts) squares += count * count;
  return squares < sample.length + ((sample.length * sample.length) / 256) * 1.5;
}
