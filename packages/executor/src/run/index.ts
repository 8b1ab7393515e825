/** RUN: the step's plan, its sandbox, and the users of a root file system. */
export * from './sandbox.js';
export * from './spec.js';
export * from './users.js';
