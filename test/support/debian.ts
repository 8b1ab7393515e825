/** The Debian base image of the acceptance tests, in the test registry. */
import { debianTar, imageName } from './env.js';
import type { Tsbuild } from './command.js';

const name = imageName('debian:bookworm-slim');

/** Imports the Debian root file system into the store, pushes it, and removes it from the store again. */
export async function pushDebian(tsbuild: Tsbuild): Promise<string> {
  await tsbuild.ok(['import', '--change', 'CMD ["/bin/sh"]', debianTar, name]);
  await tsbuild.ok(['push', name]);
  await tsbuild.ok(['rmi', name]);
  await tsbuild.ok(['prune', '--all', '--force']);
  return name;
}
