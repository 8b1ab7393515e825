/** RUN: the step's plan, its sandbox, and the users of a root file system. */
export { runContainer } from './container.js';
export type { MountSource, StepMount } from './plan-mounts.js';
export { runInSandbox, type SandboxOptions, type SandboxResult } from './sandbox.js';
export type { RootSpec, SandboxMount, SandboxSpec } from './spec.js';
export { runStep, type RunStepContext, type StepInput } from './step.js';
export { resolveOwner, resolveUser, type ResolvedUser } from './users.js';
