/** Named contexts (--build-context) and the names they stand in for. */
import { formatPlatform, type Platform } from '@tsbuild/core';

/**
 * The context that takes the place of a stage or an image, tried for the platform first.
 * @returns the name as the user gave it
 */
export function contextFor(given: readonly string[], name: string, platform: Platform): string | undefined {
  if (name === 'scratch' || name === 'context') return undefined;
  const familiar = familiarName(name);
  const wanted = [`${familiar}::${formatPlatform(platform)}`, familiar];
  for (const each of wanted) {
    const found = given.find((context) => familiarName(context) === each);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** `docker.io/library/busybox:latest` is called `busybox`. */
function familiarName(name: string): string {
  const short = name.replace(/^(?:index\.)?docker\.io\//, '').replace(/^library\//, '');
  return short.replace(/:latest$/, '');
}
