/** `tsbuild version`. */
import { release } from 'node:os';
import { formatPlatform, hostPlatform } from '@tsbuild/core';
import type { Io } from '../io.js';
import type { Args } from '../parse.js';
import { packageVersion } from '../version.js';

export async function run(args: Args, io: Io): Promise<number> {
  const version = packageVersion();
  const facts = {
    version,
    node: process.versions.node,
    kernel: release(),
    platform: formatPlatform(hostPlatform()),
  };
  io.stdout.write(args.bool('json') ? `${JSON.stringify(facts)}\n` : `tsbuild ${version}\n`);
  return 0;
}
