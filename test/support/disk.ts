/** What du(1) says of a store. */
import { command } from './command.js';
import { rootless } from './env.js';

/** Bytes on the disk. A rootless store has files of subordinate ids, which only its user name space may look into. */
export async function diskBytes(folder: string): Promise<number> {
  const du = ['du', '-s', '--block-size=1', folder];
  const args = rootless ? ['unshare', '--map-root-user', '--map-auto', ...du] : du;
  const [file = '', ...rest] = args;
  const { stdout, stderr } = await command(file, rest);
  const bytes = Number.parseInt(stdout, 10);
  if (!Number.isSafeInteger(bytes)) throw new Error(`du: ${stdout}${stderr}`);
  return bytes;
}
