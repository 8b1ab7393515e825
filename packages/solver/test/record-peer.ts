/**
 * Records what BuildKit makes of the cases in golden-config/cases.ts: run `node dist/test/record-peer.js [CASE…]` in
 * this package after `npx tsc -b`. Needs
 *   PEER_DOCKER    how to call docker with buildx, for example `docker` or `peer docker -H unix:///run/peer.sock`
 *   PEER_REGISTRY  a plain-http registry that both can write to and read from, with library/busybox in it
 * and skopeo. Paths of the temporary folder must be the same for docker as here.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ImageConfig, ImageIndex, ImageManifest } from '@tsbuild/core';
import { bases, cases, type GoldenCase } from './golden-config/cases.js';

const docker = (process.env['PEER_DOCKER'] ?? 'docker').split(' ');
const registry = process.env['PEER_REGISTRY'] ?? '127.0.0.1:5000';
const here = join(import.meta.dirname, '../../test/golden-config/golden');
const repository = `${registry}/solver-golden`;

export interface GoldenRecord {
  /** The config as BuildKit wrote it. */
  config?: string;
  /** Names of the steps. */
  steps?: string[];
  error?: string;
}

const work = mkdtempSync(join(tmpdir(), 'record-peer-'));
try {
  const context = join(work, 'context');
  mkdirSync(join(context, 'd'), { recursive: true });
  writeFileSync(join(context, 'f'), 'f\n');
  writeFileSync(join(context, 'd/x'), 'x\n');
  const wanted = process.argv.slice(2);
  if (wanted.length === 0) recordBases(context);
  for (const each of cases) {
    if (wanted.length > 0 && !wanted.includes(each.name)) continue;
    const record = recordCase(each, context);
    writeFileSync(join(here, `${each.name}.json`), `${JSON.stringify(record, null, 2)}\n`);
    process.stdout.write(`${each.name}: ${record.error ?? 'ok'}\n`);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}

function recordBases(context: string): void {
  const configs: Record<string, ImageConfig> = {};
  must([
    'skopeo',
    'copy',
    '-q',
    '--all',
    '--src-tls-verify=false',
    '--dest-tls-verify=false',
    `docker://${registry}/library/busybox`,
    `docker://${repository}/busybox`,
  ]);
  must([
    'skopeo',
    'copy',
    '-q',
    '--src-tls-verify=false',
    `docker://${repository}/busybox`,
    `oci:${join(work, 'busybox')}:x`,
  ]);
  configs['busybox'] = JSON.parse(readConfig(join(work, 'busybox'))) as ImageConfig;
  for (const [name, dockerfile] of Object.entries(bases))
    configs[name] = recordBase(name, dockerfile, context);
  configs['nopath'] = recordWithoutPath();
  writeFileSync(join(here, 'bases.json'), `${JSON.stringify(configs, null, 2)}\n`);
}

function recordBase(name: string, dockerfile: string, context: string): ImageConfig {
  const layout = join(work, `base-${name}`);
  const built = build({ name, dockerfile }, context, layout);
  if (built.status !== 0) throw new Error(`base ${name}: ${built.stderr}`);
  push(layout, name);
  return JSON.parse(readConfig(layout)) as ImageConfig;
}

function push(layout: string, name: string): void {
  must([
    'skopeo',
    'copy',
    '-q',
    '--dest-tls-verify=false',
    `oci:${layout}`,
    `docker://${repository}/${name}`,
  ]);
}

/** BuildKit gives every image a PATH, so an image without one is made by hand. */
function recordWithoutPath(): ImageConfig {
  const layout = join(work, 'base-nopath');
  cpSync(join(work, 'base-plain'), layout, { recursive: true });
  const read = <T>(path: string) => JSON.parse(readFileSync(path, 'utf8')) as T;
  const blob = (digest: string) => join(layout, 'blobs', digest.replace(':', '/'));
  const index = read<ImageIndex>(join(layout, 'index.json'));
  const [described] = index.manifests;
  if (described === undefined) throw new Error('no manifest');
  const manifest = read<ImageManifest>(blob(described.digest));
  const config = read<ImageConfig>(blob(manifest.config.digest));
  delete config.config?.Env;
  const configPath = join(work, 'config.json');
  writeFileSync(configPath, JSON.stringify(config));
  const put = (text: string) => {
    const digest = `sha256:${must(['sha256sum', configPath]).slice(0, 64)}`;
    writeFileSync(blob(digest), text);
    return { digest, size: Buffer.byteLength(text) };
  };
  Object.assign(manifest.config, put(JSON.stringify(config)));
  writeFileSync(configPath, JSON.stringify(manifest));
  Object.assign(described, put(JSON.stringify(manifest)));
  writeFileSync(join(layout, 'index.json'), JSON.stringify(index));
  push(layout, 'nopath');
  return config;
}

function recordCase(each: GoldenCase, context: string): GoldenRecord {
  const layout = join(work, 'case');
  rmSync(layout, { recursive: true, force: true });
  const { status, stderr } = build(each, context, layout);
  const back = (text: string) => text.replaceAll(repository, 'golden.test');
  if (status !== 0) {
    const error =
      /^ERROR: (?:failed to build: )?(?:failed to solve: )?(.*)/ms.exec(stderr)?.[1]?.trim() ?? stderr;
    return { error: back(error) };
  }
  const steps = new Set<string>();
  for (const line of stderr.split('\n')) {
    for (const vertex of vertexesOf(line)) {
      if (/^(?:\[internal\]|exporting|resolve)/.test(vertex)) continue;
      steps.add(back(vertex).replace(/@sha256:[0-9a-f]{64}$/, ''));
    }
  }
  return { config: back(readConfig(layout)), steps: [...steps].sort() };
}

function vertexesOf(line: string): string[] {
  if (!line.startsWith('{')) return [];
  const message = JSON.parse(line) as { vertexes?: { name: string }[] };
  return (message.vertexes ?? []).map(({ name }) => name);
}

function build(each: GoldenCase, context: string, layout: string): { status: number | null; stderr: string } {
  const file = join(work, 'Dockerfile');
  writeFileSync(file, each.dockerfile.replaceAll('golden.test', repository));
  const flags = Object.entries(each.buildArgs ?? {}).map(([key, value]) => `--build-arg=${key}=${value}`);
  flags.push(...Object.entries(each.labels ?? {}).map(([key, value]) => `--label=${key}=${value}`));
  if (!each.bridge) flags.push('--network=host');
  if (each.target !== undefined) flags.push(`--target=${each.target}`);
  if (each.platform !== undefined) flags.push(`--platform=${each.platform}`);
  const [command = 'docker', ...args] = docker;
  return spawnSync(
    command,
    [
      ...args,
      'buildx',
      'build',
      '--provenance=false',
      '--progress=rawjson',
      ...flags,
      '-f',
      file,
      '-o',
      `type=oci,tar=false,dest=${layout}`,
      context,
    ],
    { encoding: 'utf8', maxBuffer: 1 << 26 },
  );
}

function readConfig(layout: string): string {
  const blob = (digest: string) => readFileSync(join(layout, 'blobs', digest.replace(':', '/')), 'utf8');
  const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as ImageIndex;
  const manifest = JSON.parse(blob(index.manifests[0]?.digest ?? '')) as ImageManifest;
  return blob(manifest.config.digest);
}

function must([command = '', ...args]: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
  return stdout;
}
