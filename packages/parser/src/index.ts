export * from './ast.js';
export * from './expand.js';
export * from './mount.js';
