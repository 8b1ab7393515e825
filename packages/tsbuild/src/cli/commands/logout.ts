/** `tsbuild logout`. */
import { logout } from '../../api/operations.js';
import type { Io } from '../io.js';
import type { Args } from '../parse.js';

export async function run(args: Args, io: Io): Promise<number> {
  const registry = args.positionals[0] ?? 'docker.io';
  const known = await logout({ registry });
  io.stderr.write(known ? `forgot the password of ${registry}\n` : `there was no password of ${registry}\n`);
  return 0;
}
