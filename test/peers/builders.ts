/** The three builders, each reduced to: build this Dockerfile into an OCI archive. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Outcome, command } from '../support/command.js';

const state = process.env['PEERS_STATE'] ?? join(process.env['TMPDIR'] ?? '/tmp', 'tsbuild-peers');
const peer = join(state, 'peer');
const docker = ['docker', '-H', `unix://${join(state, 'docker.sock')}`];

export interface Job {
  context: string;
  dockerfile: string;
  options: string[];
}

export interface Builder {
  name: string;
  /** Builds without any cached result; the archive is at `destination`. */
  build(job: Job, destination: string): Promise<Outcome>;
}

export const buildx: Builder = {
  name: 'docker buildx',
  build: (job, destination) =>
    command(peer, [
      ...docker,
      'buildx',
      'build',
      '--no-cache',
      '--network',
      'host',
      '--provenance=false',
      '--output',
      `type=oci,dest=${destination}`,
      '-f',
      job.dockerfile,
      ...job.options,
      job.context,
    ]),
};

export const buildah: Builder = {
  name: 'buildah',
  build: (job, destination) =>
    command(peer, [
      'buildah',
      'build',
      '--isolation',
      'oci',
      '--runtime',
      'runc',
      '--layers',
      '--no-cache',
      '--identity-label=false',
      '--tls-verify=false',
      '--network',
      'host',
      '-t',
      `oci-archive:${destination}`,
      '-f',
      job.dockerfile,
      ...job.options,
      job.context,
    ]),
};

/** tsbuild with a store of its own. */
export function tsbuild(bin: string, store: string): Builder {
  return {
    name: 'tsbuild',
    build: (job, destination) =>
      command(bin, [
        'build',
        '--root',
        store,
        '--no-cache',
        '--output',
        `type=oci,dest=${destination}`,
        '-f',
        job.dockerfile,
        ...job.options,
        job.context,
      ]),
  };
}

/** An empty folder. */
export function freshFolder(path: string): string {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  return path;
}
