/** What --add-host, --ulimit and --allow may say. */
import { isIP } from 'node:net';
import { didYouMean, TsbuildError } from '@tsbuild/core';
import type { HostEntry, UlimitSpec } from '../api/types.js';

/** RUN steps have the host's own network, so its address is that of the loopback there. */
const hostGateway = '127.0.0.1';

/** @throws TsbuildError TSB_USAGE_OPTION */
export function hostEntry({ name, address }: HostEntry): HostEntry {
  if (address === 'host-gateway') return { name, address: hostGateway };
  // A link-local address may name its interface.
  if (isIP(address) !== 0) return { name, address };
  throw new TsbuildError(
    'TSB_USAGE_OPTION',
    `${JSON.stringify(address)} is no address for the host ${name}`,
    {
      hint: 'Give an IPv4 or IPv6 address, or host-gateway for this machine.',
    },
  );
}

/** Those of setrlimit(2) that docker knows. */
const names = [
  'core',
  'cpu',
  'data',
  'fsize',
  'locks',
  'memlock',
  'msgqueue',
  'nice',
  'nofile',
  'nproc',
  'rss',
  'rtprio',
  'rttime',
  'sigpending',
  'stack',
];

/** @throws TsbuildError TSB_USAGE_OPTION */
export function ulimit({ name, soft, hard }: UlimitSpec): UlimitSpec {
  if (!names.includes(name)) {
    throw new TsbuildError('TSB_USAGE_OPTION', `unknown resource limit ${name}${didYouMean(name, names)}`, {
      hint: `There are ${names.join(', ')}.`,
    });
  }
  const infinite = (value: number) => (value < 0 ? Number.POSITIVE_INFINITY : value);
  if (infinite(soft) > infinite(hard)) {
    throw new TsbuildError('TSB_USAGE_OPTION', `the soft limit of ${name} is above its hard limit`, {
      hint: `Write --ulimit ${name}=SOFT:HARD with SOFT no larger than HARD.`,
    });
  }
  return { name, soft, hard };
}

const entitlements = ['network.host', 'security.insecure', 'device'];

/** A device may be named: `device=vendor.com/class=name`. @throws TsbuildError TSB_USAGE_OPTION */
export function entitlement(name: string): string {
  if (entitlements.includes(name) || name.startsWith('device=')) return name;
  throw new TsbuildError('TSB_USAGE_OPTION', `unknown entitlement ${name}${didYouMean(name, entitlements)}`, {
    hint: `There are ${entitlements.join(', ')}.`,
  });
}
