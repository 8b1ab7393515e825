import { goQuote } from '@tsbuild/core';
import type { RunInstruction } from '../ast.js';
import { fault } from '../fault.js';
import type { FlagValues } from '../flags.js';
import { none } from '../none.js';
import { checkMount } from '../mount.js';
import { splitCommand } from '../split.js';
import { flagsOf, type Request } from './request.js';

const known = { mount: 'list', network: 'string', security: 'string', device: 'list' } as const;
const noFlags: FlagValues<typeof known> = {
  mount: none,
  network: undefined,
  security: undefined,
  device: none,
};
const networks = ['default', 'none', 'host'];
const securities = ['sandbox', 'insecure'];

export function parseRun(request: Request): RunInstruction {
  const { mount, network, security, device } = request.flags.length > 0 ? flagsOf(request, known) : noFlags;
  for (const value of mount) checkMount(value);
  oneOf('invalid network mode', network, networks);
  oneOf('invalid security mode', security, securities);
  const run: RunInstruction = {
    kind: 'run',
    ...request.base,
    command: splitCommand(request.rest),
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
