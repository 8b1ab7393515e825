/** CMD, ENTRYPOINT and SHELL. */
import type { CmdInstruction, EntrypointInstruction, ShellInstruction } from '../ast.js';
import { fault } from '../fault.js';
import { splitCommand } from '../split.js';
import { atLeastOne, refuseFlags, type Request } from './request.js';

export function parseCmd(request: Request): CmdInstruction {
  refuseFlags(request);
  return { kind: 'cmd', ...request.base, command: splitCommand(request.rest) };
}

export function parseEntrypoint(request: Request): EntrypointInstruction {
  refuseFlags(request);
  return { kind: 'entrypoint', ...request.base, command: splitCommand(request.rest) };
}

export function parseShell(request: Request): ShellInstruction {
  refuseFlags(request);
  const example = 'SHELL ["/bin/sh", "-c"]';
  const command = splitCommand(request.rest);
  atLeastOne(request, command.form === 'exec' ? command.args.length : command.text.length, example);
  if (command.form !== 'exec') {
    throw fault('SHELL', 'SHELL requires the arguments to be in JSON form', howToFix(request.rest, example));
  }
  return { kind: 'shell', ...request.base, args: command.args };
}

/** Windows users write single backslashes into JSON; say so. */
function howToFix(text: string, example: string): string {
  const path = /"[a-z]:\\/i.test(text) && !text.includes('\\\\') && text.includes('[');
  return path
    ? 'Double every backslash: JSON wants "c:\\\\path\\\\file.exe".'
    : `Write it as ${example}, with double quotes.`;
}
