/** A look at stacked snapshot directories without attaching anything to this process's mounts. */
import * as native from '@tsbuild/native';

/**
 * Descriptor of the tree that layers make together, read-only; undefined where there is none.
 * @param lower directories, top first
 */
export function openLayers(lower: string[]): native.Fd | undefined {
  const [only] = lower;
  if (only === undefined) return undefined;
  if (lower.length > 1) {
    return native.mountOverlay({ lower, userxattr: process.env['TSBUILD_USERNS'] === '1', readonly: true });
  }
  // The kernel refuses an overlay of a single directory that nothing can be written to.
  const { O_DIRECTORY, O_PATH } = native.constants;
  return native.openat2(native.AT_FDCWD, only, O_PATH | O_DIRECTORY, 0, 0);
}
