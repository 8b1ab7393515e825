/** A base image for Node applications. */
import { copyFileSync, cpSync, existsSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { command, succeed, type Tsbuild } from './command.js';
import { writeTree } from './files.js';

/**
 * Builds a base image with this machine's own Node and npm, and with npm's settings and certificates of this machine.
 * @returns the name it was given
 */
export async function nodeBase(
  tsbuild: Tsbuild,
  debian: string,
  work: string,
  name: string,
): Promise<string> {
  const context = join(work, 'node-base');
  const npm = dirname(dirname(realpathSync((await succeed('which', ['npm'])).stdout.trim())));
  mkdirSync(context);
  copyFileSync(realpathSync(process.execPath), join(context, 'node'));
  cpSync(npm, join(context, 'npm'), { recursive: true });
  const certificates = '/etc/ssl/certs/ca-certificates.crt';
  if (existsSync(certificates)) copyFileSync(certificates, join(context, 'ca.crt'));
  else writeFileSync(join(context, 'ca.crt'), '');
  const registry = await command('npm', ['config', 'get', 'registry']);
  writeTree(context, {
    npmrc: `registry=${registry.stdout.trim()}\naudit=false\nfund=false\nupdate-notifier=false\n`,
    Dockerfile: `FROM ${debian}
COPY node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
COPY ca.crt /etc/ssl/certs/ca-certificates.crt
COPY npmrc /usr/local/etc/npmrc
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && (node --version || \\
    (apt-get update && apt-get install -y --no-install-recommends libstdc++6 && node --version)) && npm --version
`,
  });
  await tsbuild.ok(['build', '-t', name, context]);
  return name;
}
