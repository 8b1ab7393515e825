/** All commands, in the order of the help text. */
import { buildSpec, checkSpec, explainSpec } from './build.js';
import { imageSpecs } from './images.js';
import { registrySpecs } from './registry.js';
import { systemSpecs } from './system.js';
import type { CommandSpec } from './types.js';

export const commands: readonly CommandSpec[] = [
  buildSpec,
  checkSpec,
  explainSpec,
  ...imageSpecs,
  ...registrySpecs,
  ...systemSpecs,
];

export function findCommand(word: string): CommandSpec | undefined {
  return commands.find((command) => command.name === word || command.aliases?.includes(word));
}
