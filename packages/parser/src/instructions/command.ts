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
    throw fault(
      'SHELL',
      `SHELL requires the arguments to be in JSON form${unescapedPath(request.rest)}`,
      `Write it as ${example}, with double quotes.`,
    );
  }
  return { kind: 'shell', ...request.base, args: command.args };
}

/** Windows users write single backslashes into JSON; say so. */
function unescapedPath(text: string): string {
  const looksLikePath = /"[a-z]:\\/i.test(text) && !text.includes('\\\\') && text.includes('[') && text.includes(']');
  if (!looksLikePath) return '';
  return (
    `. It looks like '${text.toLowerCase()}' includes a file path without an escaped back-slash. JSON requires ` +
    'back-slashes to be escaped such as ["c:\\\\path\\\\to\\\\file.exe", "/parameter"]'
  );
}
