/** The one place of this package that reads the time of day. */

/** Milliseconds since the epoch. */
export function now(): number {
  return Date.now();
}
