export * from './interfaces.js';
export * from './ops.js';
export * from './plan.js';
