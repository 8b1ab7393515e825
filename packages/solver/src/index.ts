export { encodeConfig, finalizeImage } from './finalize.js';
export { closure, dependencies, inputsOf } from './graph.js';
export * from './interfaces.js';
export { digestOf, encode } from './keys/encode.js';
export { planBuild } from './lower/plan-build.js';
export * from './ops.js';
export * from './plan.js';
export * from './schedule/api.js';
export { solve } from './schedule/solve.js';
