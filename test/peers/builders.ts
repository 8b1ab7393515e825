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
  /** Builds into the builder's own store. */
  tag(job: Job, name: string, noCache: boolean): Promise<Outcome>;
}

export const buildx: Builder & { run(job: Job): Promise<Outcome> } = {
  name: 'docker buildx',
  run: (job) => runBuildx(job, ['--progress=plain']),
  build: (job, destination) => runBuildx(job, ['--no-cache', '--output', `type=oci,dest=${destination}`]),
  tag: (job, name, noCache) => runBuildx(job, ['-t', name, ...(noCache ? ['--no-cache'] : [])]),
};

function runBuildx(job: Job, options: string[]): Promise<Outcome> {
  const build = ['buildx', 'build', '--network', 'host', '--provenance=false'];
  return command(peer, [...docker, ...build, ...options, '-f', job.dockerfile, ...job.options, job.context]);
}

export const buildah: Builder = {
  name: 'buildah',
  build: (job, destination) => runBuildah(job, ['--no-cache', '-t', `oci-archive:${destination}`]),
  tag: (job, name, noCache) => runBuildah(job, ['-t', name, ...(noCache ? ['--no-cache'] : [])]),
};

function runBuildah(job: Job, options: string[]): Promise<Outcome> {
  const build = ['build', '--isolation', 'oci', '--runtime', 'runc', '--layers', '--identity-label=false'];
  const access = ['--tls-verify=false', '--network', 'host'];
  return command(peer, [
    'buildah',
    ...build,
    ...access,
    ...options,
    '-f',
    job.dockerfile,
    ...job.options,
    job.context,
  ]);
}

/** An ordinary user of this machine, with subordinate ids. */
export interface User {
  uid: string;
  gid: string;
  home: string;
}

/** tsbuild with a store of its own; as root, or as an ordinary user who may write to the store's folder. */
export function tsbuild(bin: string, store: string, user?: User): Builder {
  const as =
    user === undefined
      ? []
      : ['setpriv', '--reuid', user.uid, '--regid', user.gid, '--clear-groups', 'env', `HOME=${user.home}`];
  const [file = '', ...before] = [...as, bin];
  const run = (job: Job, options: string[]) =>
    command(file, [
      ...before,
      ...['build', '--root', store, ...options, '-f', job.dockerfile, ...job.options, job.context],
    ]);
  return {
    name: user === undefined ? 'tsbuild' : 'tsbuild as an ordinary user',
    build: (job, destination) => run(job, ['--no-cache', '--output', `type=oci,dest=${destination}`]),
    tag: (job, name, noCache) => run(job, ['-t', name, ...(noCache ? ['--no-cache'] : [])]),
  };
}

/** An empty folder. */
export function freshFolder(path: string): string {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  return path;
}
