import { goQuote } from '@tsbuild/core';
import type { RunInstruction } from '../ast.js';
import { fault } from '../fault.js';
import { flagTable, readFlags } from '../flags.js';
import { checkMount } from '../mount.js';
import { commandOf, type Request } from './request.js';

const known = flagTable({ mount: 'list', network: 'string', security: 'string', device: 'list' });
const networks = ['default', 'none', 'host'];
const securities = ['sandbox', 'insecure'];

export function parseRun(request: Request): RunInstruction {
  const { mount, network, security, device } = readFlags(request.flags, known);
  if (mount.length > 0) for (const value of mount) checkMount(value);
  oneOf('invalid network mode', network, networks);
  oneOf('invalid security mode', security, securities);
  const { keyword, original, range, comments } = request;
  const run: RunInstruction = {
    kind: 'run',
    keyword,
    original,
    range,
    comments,
    command: commandOf(request),
    mounts: mount,
    devices: device,
    heredocs: request.heredocs,
  };
  if (network !== undefined) run.network = network;
  if (security !== undefined) run.security = security;
  return run;
}

function oneOf(what: string, value: string | undefined, options: string[]): void {
  if (value === undefined || options.includes(value)) return;
  throw fault('FLAG_VALUE', `${what} ${goQuote(value)}`, `Use one of ${options.join(', ')}.`);
}
