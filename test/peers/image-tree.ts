/** What an OCI archive holds, read by umoci and the file system alone: config, history, and every file. */
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { succeed } from '../support/command.js';
import { readLayout } from '../support/oci.js';
import { freshFolder } from './builders.js';

export interface ImageFacts {
  config: Record<string, unknown>;
  /** `created_by` of each entry, with a mark for those without a layer. */
  history: string[];
  layers: number;
  /** Path to one line that says everything about the entry but its times. */
  files: Map<string, string>;
}

export async function readArchive(archive: string, work: string): Promise<ImageFacts> {
  const layout = freshFolder(join(work, 'layout'));
  const root = join(work, 'bundle');
  await succeed('skopeo', ['copy', '--quiet', `oci-archive:${archive}`, `oci:${layout}:image`]);
  await succeed('rm', ['-rf', root]);
  await succeed('umoci', ['raw', 'unpack', '--image', `${layout}:image`, root]);
  const { config, manifest } = readLayout(layout);
  return {
    config: { ...config.config, os: config['os'], architecture: config['architecture'] },
    history: (config.history ?? []).map(
      (entry) => `${entry.empty_layer ? '-' : '+'} ${entry.created_by ?? ''}`,
    ),
    layers: manifest.layers.length,
    files: listFiles(root, await attributes(root)),
  };
}

/** File capabilities and other attributes by path, as getfattr prints them. */
async function attributes(root: string): Promise<Map<string, string>> {
  const dump = await succeed(
    'getfattr',
    ['-R', '-h', '-m', '^(security.capability|user\\.)', '-d', '-e', 'hex', '.'],
    { cwd: root },
  );
  const blocks = dump.stdout.split('\n\n').filter((block) => block.startsWith('# file: '));
  return new Map(
    blocks.map((block) => {
      const [head = '', ...lines] = block.split('\n');
      return [
        head.slice('# file: '.length),
        lines.filter((line) => !line.startsWith('user.rootlesscontainers')).join(' '),
      ];
    }),
  );
}

function listFiles(root: string, xattrs: Map<string, string>): Map<string, string> {
  const files = new Map<string, string>();
  const links = new Map<string, string>();
  const visit = (path: string) => {
    const full = join(root, path);
    const stat = lstatSync(full, { bigint: true });
    const inode = `${stat.dev}:${stat.ino}`;
    const first = stat.isFile() && stat.nlink > 1n ? (links.get(inode) ?? path) : undefined;
    if (first === path) links.set(inode, path);
    const content = stat.isSymbolicLink()
      ? `-> ${readlinkSync(full)}`
      : stat.isFile()
        ? `${stat.size} ${createHash('sha256').update(readFileSync(full)).digest('hex').slice(0, 16)}`
        : stat.isDirectory()
          ? ''
          : `rdev ${stat.rdev}`;
    const hardLink = first !== undefined && first !== path ? ` = ${first}` : '';
    const fields = [stat.mode.toString(8), `${stat.uid}:${stat.gid}`, content, xattrs.get(path) ?? ''];
    files.set(path, fields.filter(Boolean).join(' ') + hardLink);
    if (stat.isDirectory())
      for (const name of readdirSync(full).sort()) visit(path ? `${path}/${name}` : name);
  };
  visit('');
  return files;
}
