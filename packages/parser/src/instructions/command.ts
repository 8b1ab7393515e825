/** CMD, ENTRYPOINT and SHELL. */
import type { CmdInstruction, EntrypointInstruction, ShellInstruction } from '../ast.js';
import { fault } from '../fault.js';
import { splitCommand } from '../split.js';
import { atLeastOne, commandOf, refuseFlags, type Request } from './request.js';

export function parseCmd(request: Request): CmdInstruction {
  refuseFlags(request);
  const { keyword, original, range, comments } = request;
  return { kind: 'cmd', keyword, original, range, comments, command: commandOf(request) };
}

export function parseEntrypoint(request: Request): EntrypointInstruction {
  refuseFlags(request);
  const { keyword, original, range, comments } = request;
  return { kind: 'entrypoint', keyword, original, range, comments, command: commandOf(request) };
}

export function parseShell(request: Request): ShellInstruction {
  refuseFlags(request);
  const example = 'SHELL ["/bin/sh", "-c"]';
  const command = splitCommand(request.rest);
  atLeastOne(request, command.form === 'exec' ? command.args.length : command.text.length, example);
  if (command.form !== 'exec') {
    throw fault('SHELL', 'SHELL requires the arguments to be in JSON form', howToFix(request.rest, example));
  }
  const { keyword, original, range, comments } = request;
  return { kind: 'shell', keyword, original, range, comments, args: command.args };
}

/** Windows users write single backslashes into JSON; say so. */
function howToFix(text: string, example: string): string {
  const path = /"[a-z]:\\/i.test(text) && !text.includes('\\\\') && text.includes('[');
  return path
    ? 'Double every backslash: JSON wants "c:\\\\path\\\\file.exe".'
    : `Write it as ${example}, with double quotes.`;
}
