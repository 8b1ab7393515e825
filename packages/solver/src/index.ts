export * from './interfaces.js';
export * from './ops.js';
export * from './plan.js';
export * from './schedule/api.js';
