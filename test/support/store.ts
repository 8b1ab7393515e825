/** Works on the files of a store, with the rights that its owner has inside a build. */
import { succeed } from './command.js';
import { rootless } from './env.js';

/** Runs a command that may touch files of subordinate ids. */
export function asOwner(file: string, args: string[]): Promise<{ stdout: string }> {
  return rootless
    ? succeed('unshare', ['--map-root-user', '--map-auto', file, ...args])
    : succeed(file, args);
}

export async function copyStore(from: string, to: string): Promise<void> {
  await asOwner('cp', ['-a', '--reflink=auto', from, to]);
}

/** Paths below the store, relative to it, sorted. */
export async function listStore(root: string, ...find: string[]): Promise<string[]> {
  const { stdout } = await asOwner('find', [root, '-mindepth', '1', ...find, '-printf', '%P\\n']);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .sort();
}
