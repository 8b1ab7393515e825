/** Checks of --chmod and --chown values. */
import type { VertexId } from '../ops.js';
import { fault } from './fault.js';
import type { Lowering } from './lowering.js';

/** @throws TsbuildError TSB_GRAPH_CHMOD unless it is octal up to 7777 or symbolic as chmod(1) has it */
export function checkMode(text: string): void {
  const valid = /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) <= 0o7777 : isSymbolic(text);
  if (valid) return;
  throw fault(
    'CHMOD',
    `invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`,
    'Write --chmod=755, or a symbolic mode such as --chmod=u+x,go=rX.',
  );
}

function isSymbolic(text: string): boolean {
  return text.split(',').every((clause) => /^[ugoa]*(?:[-+=](?:[ugo]|[rwxXst]*))+$/.test(clause));
}

/** `root` is a number by another name; a second colon belongs to the group's name. */
export function isNumericOwner(owner: string): boolean {
  const colon = owner.indexOf(':');
  const parts = colon < 0 ? [owner] : [owner.slice(0, colon), owner.slice(colon + 1)];
  return parts.every((part) => part === '' || part === 'root' || /^-?\d+$/.test(part));
}

/** A name is looked up in the files of the base; where that is scratch itself, there is not even a place to look. */
export function requireFilesFor({ graph }: Lowering, base: VertexId, owner: string): void {
  if (isNumericOwner(owner) || graph.opOf(base).kind !== 'scratch') return;
  throw fault(
    'SCRATCH_OWNER',
    `the owner ${owner} cannot be looked up: scratch has no /etc/passwd and /etc/group`,
    'Give numbers, or copy the two files into the stage first.',
  );
}
