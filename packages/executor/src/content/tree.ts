/** A tree that steps read from: a build context with its ignore rules, or a mounted root file system. */
import type { Fd } from '@tsbuild/native';
import type { IgnoreRules } from '../context/ignore.js';

export interface Tree {
  root: Fd;
  /** What the context's ignore file hides; nothing is hidden without. */
  ignore?: IgnoreRules | undefined;
  /** Contexts may hold mounts (a bind mount on a folder); root file systems hold none. */
  crossMounts: boolean;
}
