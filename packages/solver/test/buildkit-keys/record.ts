/**
 * Records the cache records that BuildKit exports for the cases in cases.ts: run
 * `node dist/test/buildkit-keys/record.js [CASE…]` in this package after `npx tsc -b`, with PEER_DOCKER and
 * PEER_REGISTRY as for record-peer.ts. Paths of the temporary folder must be the same for docker as here.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ImageManifest } from '@tsbuild/core';
import { cases, context, type KeyCase } from './cases.js';

const docker = (process.env['PEER_DOCKER'] ?? 'docker').split(' ');
const registry = process.env['PEER_REGISTRY'] ?? '127.0.0.1:5000';
const here = join(import.meta.dirname, '../../../test/buildkit-keys/golden/records.json');

/** One record: its digest, and for each input the links [digest of the linked record, selector]. */
export interface RecordedKey {
  digest: string;
  inputs?: [digest: string, selector?: string][][];
}

export interface GoldenKeys {
  /** The base image, by platform. */
  bases: Record<string, { named: string; diffIds: string[]; env: string[] }>;
  cases: Record<string, RecordedKey[]>;
}

interface Config {
  records: { digest: string; inputs?: { link: number; selector?: string }[][] }[];
}

const work = mkdtempSync(join(tmpdir(), 'record-keys-'));
try {
  const folder = join(work, 'context');
  for (const [path, text] of Object.entries(context)) writeContext(join(folder, path), text);
  const golden = JSON.parse(readFileSync(here, 'utf8')) as GoldenKeys;
  golden.bases = { 'linux/amd64': base('amd64'), 'linux/arm/v7': base('arm', 'v7') };
  const wanted = process.argv.slice(2);
  for (const each of cases) {
    if (wanted.length > 0 && !wanted.includes(each.name)) continue;
    golden.cases[each.name] = record(each, folder);
    process.stdout.write(`${each.name}\n`);
    writeFileSync(here, `${JSON.stringify(golden)}\n`);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}

function writeContext(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  chmodSync(dirname(path), 0o755);
  writeFileSync(path, text);
  chmodSync(path, 0o644);
}

function base(architecture: string, variant?: string) {
  const image = `docker://${registry}/library/busybox`;
  const platform = [
    '--override-os=linux',
    `--override-arch=${architecture}`,
    ...(variant ? [`--override-variant=${variant}`] : []),
  ];
  const named = /sha256:[0-9a-f]+/.exec(
    must(['sh', '-c', `skopeo inspect --tls-verify=false --raw ${image} | sha256sum`]).replace(
      /^/,
      'sha256:',
    ),
  );
  const config = JSON.parse(
    must(['skopeo', ...platform, 'inspect', '--tls-verify=false', '--config', image]),
  ) as {
    config: { Env?: string[] };
    rootfs: { diff_ids: string[] };
  };
  return { named: named?.[0] ?? '', diffIds: config.rootfs.diff_ids, env: config.config.Env ?? [] };
}

function record(each: KeyCase, folder: string): RecordedKey[] {
  const { buildArgs = {}, platform, target, flags = [], network = 'host' } = each;
  const file = join(work, 'Dockerfile');
  const cache = join(work, 'cache');
  rmSync(cache, { recursive: true, force: true });
  writeFileSync(file, each.dockerfile.replaceAll('golden.test/', `${registry}/library/`));
  for (const name of ['s', 'e', 'b', 'q', 'name']) writeFileSync(join(work, `secret-${name}`), name);
  must([
    ...docker,
    'buildx',
    'build',
    ...['--network', network, '--provenance=false', '--no-cache', '--progress=plain'],
    ...['--cache-to', `type=local,dest=${cache},mode=max`, '--allow', 'network.host'],
    ...Object.entries(buildArgs).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]),
    ...(platform === undefined ? [] : ['--platform', platform]),
    ...(target === undefined ? [] : ['--target', target]),
    ...['s', 'e', 'b', 'q', 'name'].flatMap((name) => [
      '--secret',
      `id=${name},src=${join(work, `secret-${name}`)}`,
    ]),
    ...flags,
    ...['-f', file, folder],
  ]);
  const read = <T>(path: string) => JSON.parse(readFileSync(path, 'utf8')) as T;
  const blob = (digest: string) => join(cache, 'blobs', digest.replace(':', '/'));
  const index = read<{ manifests: { digest: string }[] }>(join(cache, 'index.json'));
  const manifest = read<ImageManifest>(blob(index.manifests[0]?.digest ?? ''));
  const { records } = read<Config>(blob(manifest.config.digest));
  return records.map(({ digest, inputs }) => ({
    digest,
    ...(inputs === undefined
      ? {}
      : {
          inputs: inputs.map((links) =>
            links.map(({ link, selector }): [string, string?] => {
              const linked = records[link]?.digest ?? '';
              return selector === undefined ? [linked] : [linked, selector];
            }),
          ),
        }),
  }));
}

function must(command: string[]): string {
  const { status, stdout, stderr } = spawnSync(command[0] ?? '', command.slice(1), { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}
