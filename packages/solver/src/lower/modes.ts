/** Checks of --chmod and --chown values. */
import { fault } from './fault.js';

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

/** `root` is a number by another name. */
export function isNumericOwner(owner: string): boolean {
  return owner.split(':').every((part) => part === '' || part === 'root' || /^\d+$/.test(part));
}
