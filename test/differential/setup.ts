/** What all cases share: base images, the web server, folders. */
import { join } from 'node:path';
import { Tsbuild } from '../support/command.js';
import { importBases } from './base.js';
import { readBase } from './facts.js';
import type { Surroundings } from './run-case.js';
import { startWebServer } from './servers.js';
import { writeTree } from './tree.js';

export interface Started extends Surroundings {
  tsbuild: Tsbuild;
  close(): Promise<void>;
}

/** @param prefix of the image names: a registry, where others than tsbuild need them */
export async function start(work: string, prefix: string): Promise<Started> {
  const tsbuild = new Tsbuild(join(work, 'store'));
  const names = { base: `${prefix}differential/base:1`, onbuild: `${prefix}differential/onbuild:1` };
  await importBases(tsbuild, work, names);
  const server = await startWebServer();
  const layout = join(work, 'base-layout');
  const context = join(work, 'base-context');
  writeTree(context, { Dockerfile: `FROM ${names.base}\n` }, (text) => text);
  await tsbuild.ok(['build', '--output', `type=oci,dest=${layout},tar=false`, context]);
  return {
    work,
    tsbuild,
    base: readBase(layout),
    words: { '%BASE%': names.base, '%ONBUILD%': names.onbuild, '%SERVER%': server.host },
    close: () => server.close(),
  };
}
