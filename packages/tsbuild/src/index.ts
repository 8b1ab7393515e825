/** tsbuild as a library: see docs/api.md. */
export { TsbuildError } from '@tsbuild/core';
export type {
  Descriptor,
  Digest,
  ErrorCode,
  HistoryEntry,
  ImageConfig,
  ImageIndex,
  ImageManifest,
  Platform,
  SourceLocation,
  SourceRange,
} from '@tsbuild/core';
export { build } from './api/build.js';
export * from './api/operations.js';
export type * from './api/types.js';
