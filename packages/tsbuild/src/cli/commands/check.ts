/**
 * `tsbuild check`. Without --resolve nothing but the Dockerfile and its ignore file is looked at: it works without
 * network, store and namespaces.
 */
import { parseFormat } from '../call-method.js';
import type { Io } from '../io.js';
import type { Args } from '../parse.js';
import { runCall } from './call.js';

export async function run(args: Args, io: Io): Promise<number> {
  const format = parseFormat('format', args.string('format') ?? 'text', 'check');
  return await runCall({ method: 'check', format, ignoreStatus: false }, args, io, args.bool('resolve'));
}
