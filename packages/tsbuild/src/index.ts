/** tsbuild as a library: see docs/api.md. */
export { TsbuildError, type ErrorCode } from '@tsbuild/core';
export { build } from './api/build.js';
export * from './api/operations.js';
export type * from './api/types.js';
