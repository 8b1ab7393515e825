export * from './buildkit-keys/index.js';
export { Explainer, linesOf } from './explain/explainer.js';
export type { FileDifference } from './explain/files-text.js';
export { alignedShare, type TraceLine } from './explain/align.js';
export {
  type BuildTrace,
  instructionOf,
  type KnownStep,
  type TraceStep,
  traceOf,
  traceVersion,
} from './explain/trace.js';
export { encodeConfig, finalizeImage } from './finalize.js';
export { closure, dependencies, inputsOf } from './graph.js';
export * from './interfaces.js';
export { digestOf, encode } from './keys/encode.js';
export { keyVersion } from './keys/op-key.js';
export { parseGitUrl } from './lower/git-url.js';
export { findTarget } from './lower/stages.js';
export { planBuild, tryPlan } from './lower/plan-build.js';
export * from './ops.js';
export * from './outline.js';
export * from './plan.js';
export * from './schedule/api.js';
export { type Found, lookUp } from './schedule/look-up.js';
export { solve } from './schedule/solve.js';
